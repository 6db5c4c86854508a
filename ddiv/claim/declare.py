"""The decorators that make a pytest test of a claim.

The body of such a test returns the question that a study is asked, and measures nothing:

    @claim("drop-alpha", "More dropout, larger power-law exponent", source="v1 3.2, figure 3")
    @each_layers
    def test_dropout_raises_alpha(study, layers):
        return Trend(Spectral("alpha", layers), study.dropout(), RISES)

`ddiv.plugin` runs the body while tests are collected, to know what to train, and the `judge`
fixture answers the question when the test's turn comes. A declaration that is wrong raises nothing
here: it is the error of its own test (`ClaimTest.fault`), and the tests beside it run.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar, cast

from ddiv.claim.bench import Claim, JudgedBy
from ddiv.claim.needed import Question
from ddiv.common.own import OwnValue
from ddiv.study import Study

# The values of a parameter: the same for every study, or those that a study has, such as the names
# of its augmentations.
Values = Iterable[Any] | Callable[[Study], Iterable[Any]]

# By parameter, its values.
Each = Mapping[str, Values]

Test = TypeVar("Test", bound=Callable[..., Any])

# Fixtures of the plugin's that have no value yet when a claim's body runs.
LATER = ("judge", "asked", "finding", "request")


# What a claim lacks is the error of its own test.
_MISSING = cast(str, None)

_WRITTEN = 'write @claim("an-id", "What is claimed.", source="the paper and the passage")'


class ClaimTest(Protocol):
    """A test function that `claim` made: pytest calls it with `judge` and the parameters of `ask`.

    `ask` returns the question; `applies` says whether it is put to a study. `fault` says what is
    wrong with the declaration ("" where nothing is). The other attributes are those that were given
    to `claim` and `each`.
    """

    claim: Claim
    ask: Callable[..., Question]
    needs: tuple[str, ...]
    applies: Callable[[Study], bool]
    each: Each
    fault: str
    __name__: str
    __signature__: inspect.Signature

    def __call__(self, judge: Callable[[], None], **arguments: Any) -> None: ...


def claim(
    id: str,
    statement: str = _MISSING,
    *,
    source: str = _MISSING,
    needs: str | tuple[str, ...] = (),
    on: Callable[[Study], bool] = lambda study: True,
    each: Each | None = None,
    guards: str = "",
    somewhere: bool = False,
    judged_by: JudgedBy = "claimed",
    headline: bool = False,
) -> Callable[[Callable[..., Question]], ClaimTest]:
    """Mark a function of `study` and further parameters, which returns a Question, as a claim's
    test.

    `id` is the claim's id in the catalogue; `source` names the version of the paper and the
    passage. The claim is put to every study whose fields named in `needs` are not empty and for
    which `on` holds; to a study that trains nothing only where it needs "experiments". `each` gives
    the values of further parameters, as the decorator `each` does.
    `guards` makes the claim a negative control of that family of claims, which must not come out
    supported. `somewhere`: the paper says that it can be so, not that it always is, so over all
    studies it holds where it holds on one. `judged_by`: the verdict that the test fails or passes
    by, "specific" for controls of that verdict. `headline`: a main claim of the paper, for which a
    profile may have more seeds.
    """
    bare: object = id
    if inspect.isfunction(bare):
        test = claim(bare.__name__, "", source="")(bare)
        test.fault = f"@claim has arguments: {_WRITTEN}"
        return cast(Any, test)  # type: ignore[no-any-return]
    first = dict(each or {})
    needed = (needs,) if isinstance(needs, str) else tuple(needs)

    def decorate(ask: Callable[..., Question]) -> ClaimTest:
        if not inspect.isfunction(ask):
            raise TypeError(f"a claim is a function that returns a question, not {ask!r:.80}")

        @functools.wraps(ask)
        def run(judge: Callable[[], None], **arguments: Any) -> None:
            judge()

        def applies(study: Study) -> bool:
            asks = (study.trains or "experiments" in needed) and id in (study.only or (id,))
            return asks and all(getattr(study, name) for name in needed) and on(study)

        test = cast(ClaimTest, run)
        test.__signature__ = _with_judge(inspect.signature(ask))
        family = ask.__module__.rpartition(".")[2].removeprefix("test_").replace("_", " ")
        test.fault = _fault(ask, {"id": id, "statement": statement, "source": source}, needed)
        test.claim = Claim(id, statement, source, family, guards, somewhere, judged_by, headline)
        test.ask = ask
        test.needs = needed
        test.applies = applies
        test.each = first | getattr(ask, "each", {})
        return test

    return decorate


def each(**values: Values) -> Callable[[Test], Test]:
    """Ask a claim for each of a parameter's values, with a test for each; above or below `claim`.

    Values are words or numbers, the same for every study or a function of the study:
    `@each(layers=("classifier", "encoder"))`, `@each(name=lambda study: study.augmentations)`.
    A single word need not be in brackets: `@each(called="trend")` names a test among several of one
    claim. (`pytest.mark.parametrize` works too.)
    """

    def decorate(test: Test) -> Test:
        # Not of the dictionary in place: a decorator may have copied the reference to it.
        cast(Any, test).each = getattr(test, "each", {}) | values
        return test

    return decorate


each_layers = each(layers=("classifier", "encoder"))
each_space = each(space=("pixel", "embedding"))
id_and_ood = each(where=("id", "ood"))


def _with_judge(own: inspect.Signature) -> inspect.Signature:
    """The signature that pytest is shown. It passes by name, whatever a function would rather."""
    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    others = [
        each.replace(kind=either) if each.kind is each.POSITIONAL_ONLY else each
        for each in own.parameters.values()
        if each.name != "judge"
    ]
    return inspect.Signature([inspect.Parameter("judge", either), *others])


def _fault(ask: Callable[..., object], texts: Mapping[str, object], needs: Iterable[str]) -> str:
    """What is wrong with a declaration, whatever the study; "" where nothing is."""
    if hasattr(ask, "ask"):
        return "two @claim stand above it: one test is of one claim"
    if inspect.iscoroutinefunction(ask) or inspect.isasyncgenfunction(ask):
        return "it is an `async def`: write `def`, a claim awaits nothing"
    if inspect.isgeneratorfunction(ask):
        return "it yields: write `return`, a claim returns one question (ddiv.claim.All joins some)"
    parameters = inspect.signature(ask).parameters
    if "study" not in parameters:
        return "it has no parameter `study`: that is what a claim is put to"
    if later := [name for name in LATER if name in parameters]:
        return (
            f"its parameter `{later[0]}` has no value when the body runs, which only says what to "
            "ask: leave it out"
        )
    for name, text in texts.items():
        if text is None:
            return f"the {name} of the claim is missing: {_WRITTEN}"
        if not isinstance(text, str) or (not text and name != "source"):
            return f"the {name} of a claim is a text, not {text!r:.80}"
    for name in needs:
        if not hasattr(Study, name):
            similar = difflib.get_close_matches(name, Study.__struct_fields__, n=1)
            meant = f", did you mean {similar[0]!r}?" if similar else ""
            return f"needs: a study has no field {name!r}{meant}"
    return ""


def parameters(
    test: ClaimTest, studies: Iterable[Study]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The parameters of a claim's test: their names, and a row of values for each study and each
    value of the study's that the test is asked of.
    """
    rows: list[tuple[Any, ...]] = [
        (study, *values)
        for study in filter(test.applies, studies)
        for values in itertools.product(*(_of(values, study) for values in test.each.values()))
    ]
    return ("study", *test.each), rows


def _of(values: Values, study: Study) -> Iterable[Any]:
    found = values(study) if callable(values) else values
    return (found,) if isinstance(found, str) else found


def variant(test: ClaimTest, values: Mapping[str, object]) -> str:
    """The name of this test among those of its claim: its parameters that are words or numbers, in
    the order of the signature.

    Where a parameter is called `called`, that one says what the numbers would. `direction` is part
    of what is claimed and names nothing.
    """
    names = [name for name in inspect.signature(test.ask).parameters if name != "direction"]
    kinds = (str,) if "called" in names else (str, int, float)
    found = (values.get(name) for name in names)
    ordered = (each.label if isinstance(each, OwnValue) else each for each in found)
    return ", ".join(str(each) for each in ordered if isinstance(each, kinds))
