"""E-values of several studies or claims, combined.

Each must be one of a fixed time or of a stopping time.

Take `Evidence.evalue`, the capital at the last seed; the largest capital over the seeds is not an
e-value. Seeds shared by claims do no harm as long as each claim's hypothesis holds given ALL that
was known before a seed, as it does for independent seeds. The same holds for products over studies:
where no two studies share a draw, the product of their e-processes is one of everything seen so
far, in whatever order the seeds of the studies were looked at and whatever decided on that order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from statistics import mean
from typing import NamedTuple

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
    """The closed e-BH procedure: indices, ascending, of the hypotheses rejected at false discovery
    rate `alpha`.

    The r largest of K e-values, for the largest r at which alpha times the mean e-value of EVERY
    set S of hypotheses is at least the share of the r that lies in S. With the set of the true
    hypotheses as S, their expected share among the r is at most alpha, however the e-values depend
    on each other (Xu, Solari, Fischer, de Heide, Ramdas and Goeman 2025, arXiv 2509.02517,
    "Bringing closure to false discovery rate control"). It rejects all that e-BH does (the k
    largest, if the k-th is at least K / (alpha k): Wang and Ramdas, Journal of the Royal
    Statistical Society B 2022), and lets e-values that are not rejected help too. Of the sets that
    pass, those are left aside, as e-BH does, that have an e-value below 1 / alpha, which is little
    evidence by itself, or one of several equal ones. Raises ValueError as `average` and on an alpha
    outside (0, 1).
    """
    checked_alpha(alpha)
    values = _checked(evalues)
    order = np.argsort(-values, kind="stable")
    rising = values[order][::-1]
    apart = np.diff(rising, prepend=-np.inf) > 0
    strong = np.flatnonzero((rising * (1 + 1e-12) >= 1 / alpha) & apart)
    sizes = (len(values) - int(first) for first in strong)
    rejected = next((size for size in sizes if _closed(rising, size, alpha)), 0)
    return tuple(sorted(order[:rejected].tolist()))


def _closed(rising: Array, rejected: int, alpha: float) -> bool:
    """Whether the last `rejected` of ascending e-values pass the test of `ebh` for every set S.

    Of the sets with j of them, the hardest has the j smallest, and of the others all that are below
    j / (alpha rejected): each such one lowers what is left of the mean.
    """
    others, chosen = rising[:-rejected], rising[-rejected:]
    inside = np.arange(1, rejected + 1)
    needed = inside / (alpha * rejected)
    outside = np.searchsorted(others, needed)
    total = chosen.cumsum() + np.concatenate([[0.0], others.cumsum()])[outside]
    # A mean that is just large enough falls short of it by rounding.
    return bool((total * (1 + 1e-12) >= needed * (inside + outside)).all())


# E-values of a run are cut off here: a smaller one is an e-value too, and sums of these are finite.
MOST = 1e100


class Row(NamedTuple):
    """One question's evidence on one study, as the lists over a run take it.

    - `what`: what is claimed, the same on all studies; of a control the family that it guards;
    - `evalue`: `Evidence.evalue`;
    - `effects`: by seed; rows of one study with equal ones, not all 0, and equal e-values are one
      draw seen twice;
    - `withheld`: the fits behind the effects cannot be relied on. That is read off both arms of a
      pair alike, not off the sign of their difference.
    """

    what: Hashable
    study: str
    evalue: float
    effects: tuple[float, ...] = ()
    withheld: bool = False


class Listed(NamedTuple):
    """A list at a false discovery rate.

    `chosen`, of the `evalues` by index or by what is claimed, out of `of` hypotheses; `repeats` are
    those that are equal to another and so are counted with it.
    """

    chosen: tuple[Hashable, ...]
    evalues: dict[Hashable, float]
    of: int
    repeats: int


def rows_listed(rows: Sequence[Row], alpha: float = 0.05) -> Listed:
    """The rows that `ebh` lists, by index. Equal draws are one hypothesis; what is withheld counts
    as one with evidence 0.
    """
    evalues: dict[Hashable, float] = {
        i: 0.0 if row.withheld else min(row.evalue, MOST) for i, row in enumerate(rows)
    }
    return _listed(evalues, {i: _draw(row) or i for i, row in enumerate(rows)}, alpha)


def claims_over_studies(rows: Sequence[Row], alpha: float = 0.05) -> Listed:
    """The claims that `ebh` lists, by `what`: of these at most a share `alpha` is expected to hold
    on no study.

    A claim's e-value is the product over its studies, which share no draw; several rows of one
    study are averaged first. So questions in which nothing happens take little from those that
    agree on every study. A study that withholds its verdict is left out.
    """
    grouped: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.what].append(row)
    draws = {
        what: frozenset(_draw(row) or (what, i) for i, row in enumerate(group))
        for what, group in grouped.items()
    }
    return _listed({what: _product(group) for what, group in grouped.items()}, draws, alpha)


class Pooled(NamedTuple):
    """All controls of a family as one: their e-value, the `bar` at which they are supported, and
    how many `controls` on how many `studies` there are.
    """

    evalue: float
    bar: float
    controls: int
    studies: int

    @property
    def supported(self) -> bool:
        return self.evalue * (1 + 1e-12) >= self.bar


def pooled_controls(rows: Sequence[Row], alpha: float = 0.05) -> dict[str, Pooled]:
    """By guarded family (`what`), all of its negative controls as one.

    A bias that a single control is too weak to show adds up: within a study the e-values are
    averaged, as its controls share their seeds, and over studies they multiply. The bar is the
    number of families / `alpha`, so that any family is supported with probability `alpha` at most
    where nothing is wrong.
    """
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if not row.withheld:
            grouped[str(row.what)].append(row)
    return {
        family: Pooled(
            _product(group), len(grouped) / alpha, len(group), len({row.study for row in group})
        )
        for family, group in grouped.items()
    }


def _listed(
    evalues: dict[Hashable, float], draws: Mapping[Hashable, Hashable], alpha: float
) -> Listed:
    """The list of `evalues`, of which those with equal `draws` are one hypothesis."""
    by_draw: dict[Hashable, list[Hashable]] = defaultdict(list)
    for name, draw in draws.items():
        by_draw[draw].append(name)
    groups = list(by_draw.values())
    chosen = ebh([evalues[names[0]] for names in groups], alpha) if groups else ()
    names = tuple(name for i in chosen for name in groups[i])
    return Listed(names, evalues, len(groups), len(evalues) - len(groups))


def _draw(row: Row) -> Hashable:
    """What rows of one draw share; None where a row's effects do not tell."""
    return (row.study, row.effects, row.evalue) if any(row.effects) else None


def _product(rows: Sequence[Row]) -> float:
    """The product over studies of their mean e-values; 0 where all are withheld."""
    by_study: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if not row.withheld:
            by_study[row.study].append(row.evalue)
    return min(math.prod(map(mean, by_study.values())), MOST) if by_study else 0.0


def _checked(evalues: Sequence[float]) -> Array:
    values = np.asarray(evalues, dtype=float)
    if values.ndim != 1 or not len(values):
        raise ValueError("a list of one or more e-values is needed")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"an e-value is a finite number, 0 or more: {values.tolist()}")
    return values
