"""The decorator that makes a pytest test of a claim. A test's body says how a study is asked:

    @claim("drop-alpha", "More dropout, larger power-law exponent", source="v1 3.2, figure 3")
    def test_dropout_raises_alpha(study):
        return Trend(Spectral("alpha", "classifier"), study.dropout(), RISES)

The body returns a question and measures nothing. `ddiv.plugin` runs it while tests are collected,
to know what to train, and the `judge` fixture answers it when the test's turn comes.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

from ddiv.claim import Claim, Question
from ddiv.study import Study


def claim(
    id: str,
    statement: str,
    *,
    source: str,
    needs: tuple[str, ...] = (),
    on: Callable[[Study], bool] = lambda study: True,
    each: Mapping[str, Callable[[Study], Sequence[str]]] | None = None,
    guards: str = "",
    somewhere: bool = False,
) -> Callable:
    """Mark a function of `study` (and further parameters) that returns a Question as a test of a
    claim.

    `id` is the claim's id in the catalogue; `source` names the version of the paper and the
    passage. It is put to every study whose fields named in `needs` are not empty and for which `on`
    holds. `each` gives, by the name of a parameter, what of a study the test is asked of one by
    one: its augmentations, say. `guards` makes it a negative control of that family of claims,
    which must not come out supported. `somewhere`: the paper says of it that it can be so, not that
    it is: over all studies it holds where it holds on one.
    """

    def decorate(ask: Callable[..., Question]) -> Callable:
        @functools.wraps(ask)
        def test(judge, **arguments) -> None:
            judge()

        parameters = list(inspect.signature(ask).parameters.values())
        judge = inspect.Parameter("judge", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = inspect.Signature([judge, *parameters])
        family = ask.__module__.rpartition(".")[2].removeprefix("test_").replace("_", " ")
        test.claim = Claim(id, statement, source, family, guards, somewhere)
        test.ask = ask
        test.needs = needs
        test.applies = lambda study: all(getattr(study, name) for name in needs) and on(study)
        test.each = each or {}
        return test

    return decorate


def parameters(test: Callable, studies: Iterable[Study]) -> tuple[tuple[str, ...], list[tuple]]:
    """What a claim's test is parametrised by: the names, and a row of values for each study (and
    what it is asked of).
    """
    rows = [
        (study, *values)
        for study in filter(test.applies, studies)
        for values in itertools.product(*(of(study) for of in test.each.values()))
    ]
    return ("study", *test.each), rows


def variant(test: Callable, values: Mapping[str, object]) -> str:
    """What tells this test of a claim from its others: the parameters that are words, in the order
    of the signature.
    """
    given = (values.get(name) for name in inspect.signature(test.ask).parameters)
    return ", ".join(value for value in given if isinstance(value, str))
