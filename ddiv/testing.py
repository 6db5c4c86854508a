"""The decorator that makes a pytest test of a claim. A test's body says how a study is asked:

    @claim("drop-alpha", "More dropout, larger power-law exponent", source="v1 3.2, figure 3")
    def test_dropout_raises_alpha(study):
        return Trend(Spectral("alpha", "classifier"), study.dropout(), RISES)

The body returns a question and measures nothing. `ddiv.plugin` runs it while tests are collected, to know
what to train, and the `judge` fixture answers it when the test's turn comes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from ddiv.claim import Claim, Question
from ddiv.study import Study


def claim(id: str, statement: str, *, source: str, needs: tuple[str, ...] = (),
          on: Callable[[Study], bool] = lambda study: True, guards: str = "") -> Callable:
    """Mark a function of `study` (and further parameters) that returns a Question as a test of a claim.

    `id` is the claim's id in the catalogue; `source` names the version of the paper and the passage. It is put to
    every study whose fields named in `needs` are not empty and for which `on` holds.
    `guards` makes it a negative control of that family of claims, which must not come out supported.
    """

    def decorate(ask: Callable[..., Question]) -> Callable:
        @functools.wraps(ask)
        def test(judge, **arguments) -> None:
            judge()

        parameters = list(inspect.signature(ask).parameters.values())
        judge = inspect.Parameter("judge", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = inspect.Signature([judge, *parameters])
        family = ask.__module__.rpartition(".")[2].removeprefix("test_").replace("_", " ")
        test.claim = Claim(id, statement, source, family, guards)
        test.ask = ask
        test.applies = lambda study: all(getattr(study, name) for name in needs) and on(study)
        return test

    return decorate
