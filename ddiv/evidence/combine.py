"""E-values of several studies or claims, combined.

Each must be one of a fixed time or of a stopping time.

Take `Evidence.evalue`, the capital at the last seed; the largest capital over the seeds is not an
e-value. Seeds shared by claims do no harm as long as each claim's hypothesis holds given ALL that
was known before a seed, as it does for independent seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ddiv.common.arrays import Array
from ddiv.evidence.verdicts import Evidence, Verdict, checked_alpha


def average(evalues: Sequence[float]) -> float:
    """An e-value against "every hypothesis is true", however the e-values depend on each other.

    No symmetric way without assumptions does essentially better (Vovk and Wang, Annals of
    Statistics 2021, "E-values: calibration, combination and applications"). Raises ValueError on
    none, or on one that is not an e-value.
    """
    return float(np.mean(_checked(evalues)))


def product(evalues: Sequence[float]) -> float:
    """An e-value against "every hypothesis is true" from independent e-values: other seeds, data
    and draws.

    Large where most e-values exceed 1; a single zero makes it zero (Vovk and Wang 2021). Evidence
    that EVERY study shows the effect is their minimum instead. Raises ValueError as `average`, and
    on overflow.
    """
    result: float = math.prod(_checked(evalues).tolist())
    if math.isinf(result):
        raise ValueError(
            "the product of these e-values exceeds the largest float: combine fewer of them"
        )
    return result


def over_studies(
    findings: Sequence[Evidence], alpha: float = 0.05, somewhere: bool = False
) -> tuple[Verdict, float, float]:
    """The claim that an effect has its direction on EVERY study: verdict, e_for, e_against.

    `findings` are the evidence on each. Supported where each study supports it on its own (an
    intersection-union test: Berger, Technometrics 1982), so `e_for` is the smallest of theirs.
    Contradicted where the mean of their capitals against it reaches 1/alpha: it fails on some
    study, with the error kept at alpha however the studies depend on each other. `somewhere`, the
    claim that it has it on at least ONE, is judged in the same way with both sides exchanged.
    Raises ValueError on no studies.
    """
    if not findings:
        raise ValueError("no study to combine")
    # `on_each` is the verdict that every study has to reach, `on_any` the one by their mean.
    on_each: Verdict = "contradicted" if somewhere else "supported"
    on_any: Verdict = "supported" if somewhere else "contradicted"
    capital = {
        "supported": [evidence.e_for for evidence in findings],
        "contradicted": [evidence.e_against for evidence in findings],
    }
    least, mean = min(capital[on_each]), average(capital[on_any])
    verdict: Verdict = "inconclusive"
    if all(evidence.verdict == on_each for evidence in findings):
        verdict = on_each
    # A capital that reaches the bar exactly falls short of it by rounding, as in ``verdicts``.
    elif mean * (1 + 1e-12) >= 1 / alpha:
        verdict = on_any
    return (verdict, mean, least) if somewhere else (verdict, least, mean)


def ebh(evalues: Sequence[float], alpha: float = 0.05) -> tuple[int, ...]:
    """The e-BH procedure: indices, ascending, of the hypotheses rejected at false discovery rate
    `alpha`.

    With K e-values, the k largest for the largest k at which the k-th largest is at least K /
    (alpha k). The expected share of true hypotheses among those selected is at most alpha however
    the e-values depend on each other (Wang and Ramdas, Journal of the Royal Statistical Society B
    2022, "False discovery rate control with e-values"). Raises ValueError as `average` and on an
    alpha outside (0, 1).
    """
    checked_alpha(alpha)
    values = _checked(evalues)
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, len(values) + 1)
    passed = np.flatnonzero(values[order] >= len(values) / (alpha * ranks))
    return tuple(sorted(order[: passed[-1] + 1].tolist())) if len(passed) else ()


def _checked(evalues: Sequence[float]) -> Array:
    values = np.asarray(evalues, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError("a list of one or more e-values is needed")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"an e-value is a finite number, 0 or more: {values.tolist()}")
    return values
