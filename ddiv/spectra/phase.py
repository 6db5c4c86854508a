"""The 5+1 phases of a spectrum (Martin and Mahoney, JMLR 2021), decided by stated thresholds.

The paper (arXiv 1810.01075) draws the phases and names them by eye, from how much of a spectrum
still looks like the Marchenko-Pastur (MP) bulk of random weights and how its largest eigenvalues
leave the edge. Here each is decided by the numbers in `Criteria`, in this order; distances from the
edge are in widths of the bulk, bulk_max - bulk_min:

- undetermined: fewer than `min_evals` eigenvalues;
- rank-collapse: a share `collapsed` or more of the eigenvalues is 0 but for round-off;
- if the MP law fits the bulk (`misfit`, `visible`) and few eigenvalues (`many`) lie above its edge:
    - random-like: no eigenvalue lies above the edge;
    - bleeding-out: all that lie above it are `near` it;
    - bulk+spikes: at least one is farther out, and the region near the edge is not filled
      (`filled`, `filled_by`);
- heavy-tailed: a power law fits the tail (`tail_*`), over a range of values or over most of the
  spectrum;
- bulk-decay: everything else: mass beyond the edge of what is left of a bulk, falling off without a
  power law.

"Near" has a meaning of its own: a rank-one signal of c times the critical strength (N M)^(1/4)
sigma, below which noise hides it (Baik, Ben Arous and Peche 2005), puts an eigenvalue (c - 1 / c)^2
/ 4 widths beyond the edge, whatever the shape. A quarter of a width is c = 1.62.

How often each phase is named, in % of the spectra that `tests/spectra/test_phase.py` plants (two to
six families of matrices a phase): on the left as which phase, at 128 x 128 and 512 x 128 together;
on the right how often rightly, of square matrices (in brackets of 4:1) with M eigenvalues:

    planted        random bleed spikes decay heavy rank    M = 50      M = 64    M = 96
    random-like       100     0      0     0     0    0   98 (100)   100 (100)      100
    bleeding-out        2    78     20     0     0    0   25  (52)    48  (82)       55
    bulk+spikes         0     0    100     0     0    0  100 (100)   100 (100)      100
    bulk-decay          0     0      8    92     0    0   33  (95)    53  (98)       72
    heavy-tailed        0     0      3     6    91    0   66  (88)    75  (91)       81
    rank-collapse       0     0      0     0     0  100  100 (100)   100 (100)      100

At 256 x 256 and 1024 x 256 no phase is below 95 %. Below about 100 eigenvalues of a square matrix,
few spikes and a decaying bulk look alike; at 50, a third of the decaying bulks and a quarter of the
signals just past critical are seen, and below 50 nothing is named. The thresholds were set on some
of these families, so they may do worse on new ones: entries with a large fourth moment (Gaussian
entries with four fifths set to 0) throw single eigenvalues out of the bulk, and about half of such
matrices at M = 128 are called random-like.

Rank-collapse is by `metrics.numerical_rank`. A product of float32 matrices counts as
rank-deficient; half precision (bfloat16, float16) rounds it to full rank, and its round-off then
passes for the bulk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddiv.spectra import mp, powerlaw
from ddiv.spectra.metrics import checked_evals, numerical_rank

RANDOM_LIKE, BLEEDING_OUT, BULK_SPIKES = "random-like", "bleeding-out", "bulk+spikes"

BULK_DECAY, HEAVY_TAILED, RANK_COLLAPSE = "bulk-decay", "heavy-tailed", "rank-collapse"

PHASES = (RANDOM_LIKE, BLEEDING_OUT, BULK_SPIKES, BULK_DECAY, HEAVY_TAILED, RANK_COLLAPSE)

UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Criteria:
    """The thresholds; "share" is of all eigenvalues."""

    min_evals: int = 50
    collapsed: float = 0.05  # share of eigenvalues that are 0 (beyond `metrics.numerical_rank`)
    misfit: float = 1.25  # KS distance of bulk and law, in critical values (`mp.ks_critical`) ..
    visible: float = 0.02  # .. or itself, as large matrices show departures too slight for the eye
    many: float = 0.1  # share above the edge: more is no longer a few spikes
    near: float = 0.25  # bulk widths beyond the edge
    filled: float = 0.02  # share near the edge, when others lie farther out: mass, not spikes ..
    filled_by: int = 4  # .. if it is that many eigenvalues
    tail_distance: float = 0.12  # KS distance of the power law ..
    # .. and times the root of the tail's size: 98 % of power-law samples stay below
    tail_misfit: float = 0.9
    tail_alpha: float = 6.0
    tail_size: int = 10
    tail_range: float = 8.0  # largest eigenvalue over xmin ..
    tail_share: float = 0.5  # .. or share in the tail


@dataclass(frozen=True)
class Phase:
    """A spectrum's phase, what was measured for it and the reasons, a sentence each.

    rank: `metrics.numerical_rank`. bulk: the MP fit. near_share: share of eigenvalues up to `near`
    beyond the edge. gap: of the largest eigenvalue from the edge, in widths, negative inside. tail:
    the power-law fit of evals / mean(evals), so that its floor does not depend on the weights'
    scale; None where the bulk decided.
    """

    name: str
    reasons: tuple[str, ...]
    rank: int
    bulk: mp.MPFit
    near_share: float = float("nan")
    gap: float = float("nan")
    tail: powerlaw.PowerLawFit | None = None


def phase(
    evals: np.ndarray, N: int, M: int, count: int = 1, criteria: Criteria = Criteria()
) -> Phase:
    """The phase of one spectrum of count * M eigenvalues of W^T W, in any order.

    N >= M: sides of the matrix, or of one of `count` pooled slices. ValueError as in `mp.fit`.
    """
    bulk = mp.fit(evals, N, M, count)
    x, rule = np.sort(checked_evals(evals)), criteria
    size = len(x)
    rank = int(numerical_rank(x, N))
    if size < rule.min_evals:
        few = (
            f"Too small: {size} eigenvalues, and fewer than {rule.min_evals} cannot tell the "
            "phases apart."
        )
        return Phase(UNDETERMINED, (few,), rank, bulk)
    if size - rank >= rule.collapsed * size:
        return Phase(RANK_COLLAPSE, (f"{size - rank} of {size} eigenvalues are 0.",), rank, bulk)
    beyond = (x - bulk.bulk_max) / (bulk.bulk_max - bulk.bulk_min)
    gap, outside = float(beyond[-1]), bulk.num_spikes / size
    close = int(((beyond > 0) & (beyond <= rule.near))[size - bulk.num_spikes :].sum())
    near = close / size

    fits = bulk.ks <= max(rule.misfit * bulk.ks_critical, rule.visible)
    misfit = bulk.ks / bulk.ks_critical
    reasons = [
        f"The bulk {'follows' if fits else 'does not follow'} the MP law (KS distance "
        f"{bulk.ks:.3f}, {misfit:.1f} times what noise may have)."
    ]
    if bulk.num_spikes == 0:
        reasons.append("No eigenvalue stands out of the bulk.")
    else:
        reasons.append(
            f"{bulk.num_spikes} of {size} eigenvalues lie above its edge, the largest by "
            f"{gap:.2g} widths of the bulk, {near:.1%} of all within {rule.near:g}."
        )
    if fits and outside <= rule.many:
        if bulk.num_spikes == 0:
            return Phase(RANDOM_LIKE, tuple(reasons), rank, bulk, near, gap)
        if gap <= rule.near:
            return Phase(BLEEDING_OUT, tuple(reasons), rank, bulk, near, gap)
        if close < max(rule.filled * size, rule.filled_by):
            return Phase(BULK_SPIKES, tuple(reasons), rank, bulk, near, gap)

    tail = powerlaw.fit(x / x.mean())
    reach = float(x[-1] / x.mean() / tail.xmin)
    share = tail.tail_size / size
    heavy = (
        tail.D <= min(rule.tail_distance, rule.tail_misfit / np.sqrt(max(tail.tail_size, 1)))
        and tail.alpha <= rule.tail_alpha
        and tail.tail_size >= rule.tail_size
        and (reach >= rule.tail_range or share >= rule.tail_share)
    )
    reasons.append(
        f"A power law {'fits' if heavy else 'does not fit'} the tail (alpha {tail.alpha:.2f}, "
        f"KS distance {tail.D:.2f}, {share:.0%} of the eigenvalues, over a factor of {reach:.1f})."
    )
    return Phase(HEAVY_TAILED if heavy else BULK_DECAY, tuple(reasons), rank, bulk, near, gap, tail)
