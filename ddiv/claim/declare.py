"""The decorator that makes a pytest test of a claim.

The body of such a test returns the question that a study is asked, and measures nothing:

    @claim("drop-alpha", "More dropout, larger power-law exponent", source="v1 3.2, figure 3")
    def test_dropout_raises_alpha(study):
        return Trend(Spectral("alpha", "classifier"), study.dropout(), RISES)

`ddiv.plugin` runs the body while tests are collected, to know what to train, and the `judge`
fixture answers the question when the test's turn comes.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from ddiv.claim.bench import Claim
from ddiv.claim.needed import Question
from ddiv.study import Study

# By parameter, the values of it that a study has, such as the names of its augmentations.
Each = Mapping[str, Callable[[Study], Iterable[str]]]


class ClaimTest(Protocol):
    """A test function that `claim` made: pytest calls it with `judge` and the parameters of `ask`.

    `ask` returns the question; `applies` says whether it is put to a study. The other attributes
    are those that were given to `claim`.
    """

    claim: Claim
    ask: Callable[..., Question]
    needs: tuple[str, ...]
    applies: Callable[[Study], bool]
    each: Each
    __name__: str
    __signature__: inspect.Signature

    def __call__(self, judge: Callable[[], None], **arguments: Any) -> None: ...


def claim(
    id: str,
    statement: str,
    *,
    source: str,
    needs: tuple[str, ...] = (),
    on: Callable[[Study], bool] = lambda study: True,
    each: Each | None = None,
    guards: str = "",
    somewhere: bool = False,
) -> Callable[[Callable[..., Question]], ClaimTest]:
    """Mark a function of `study` and further parameters, which returns a Question, as a claim's
    test.

    `id` is the claim's id in the catalogue; `source` names the version of the paper and the
    passage. The claim is put to every study whose fields named in `needs` are not empty and for
    which `on` holds. `each` gives, by the name of a parameter, the values of it that a study has,
    such as its augmentations: there is a test for each. `guards` makes the claim a negative control
    of that family of claims, which must not come out supported. `somewhere`: the paper says that it
    can be so, not that it always is, so over all studies it holds where it holds on one.
    """

    def decorate(ask: Callable[..., Question]) -> ClaimTest:
        @functools.wraps(ask)
        def run(judge: Callable[[], None], **arguments: Any) -> None:
            judge()

        def applies(study: Study) -> bool:
            return all(getattr(study, name) for name in needs) and on(study)

        test = cast(ClaimTest, run)
        judge = inspect.Parameter("judge", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = inspect.Signature([judge, *inspect.signature(ask).parameters.values()])
        family = ask.__module__.rpartition(".")[2].removeprefix("test_").replace("_", " ")
        test.claim = Claim(id, statement, source, family, guards, somewhere)
        test.ask = ask
        test.needs = needs
        test.applies = applies
        test.each = each or {}
        return test

    return decorate


def parameters(
    test: ClaimTest, studies: Iterable[Study]
) -> tuple[tuple[str, ...], list[tuple[Study | str, ...]]]:
    """The parameters of a claim's test: their names, and a row of values for each study and each
    value of the study's that the test is asked of.
    """
    rows: list[tuple[Study | str, ...]] = [
        (study, *values)
        for study in filter(test.applies, studies)
        for values in itertools.product(*(values_of(study) for values_of in test.each.values()))
    ]
    return ("study", *test.each), rows


def variant(test: ClaimTest, values: Mapping[str, object]) -> str:
    """The name of this test among those of its claim: the parameters that are words, in the order
    of the signature.
    """
    ordered = (values.get(name) for name in inspect.signature(test.ask).parameters)
    return ", ".join(value for value in ordered if isinstance(value, str))
