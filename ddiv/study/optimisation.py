"""The optimisation controls of every study: the baseline's optimiser, slower or faster, and nothing
else.

A slower optimiser alone moves a spectrum as regularisation is said to, so what an arm shows is
compared with this family too. It is fixed here, before any arm is judged, as two curves through the
baseline: over the learning rate and over the length of the training. The same training loss is
reached on both, by different spectra. Members between those of the curves are held out of it: they
tell how far from a curve a mere optimiser can lie.
"""

from __future__ import annotations

from ddiv.treatment import BASELINE, Length, Rate, Treatment

# Factors of the recipe's learning rates and of its steps. The baseline, x 1, is in both curves.
RATES = (0.25, 0.5, 2.0)
LENGTHS = (0.4, 0.7, 1.5)

HELD_OUT_RATES = (0.35, 0.7, 1.4)
HELD_OUT_LENGTHS = (0.55, 0.85, 1.25)

# Seeds that no claim uses: claims use smaller ones, pairs that are broken use larger ones.
FIRST_CALIBRATION, CALIBRATION_SEEDS = 910_000, 8

Curve = tuple[Treatment, ...]

# In the order of the factors, the baseline in its place.
RATE_CURVE: Curve = tuple(Treatment.of(Rate(factor)) for factor in sorted((*RATES, 1.0)))
LENGTH_CURVE: Curve = tuple(Treatment.of(Length(factor)) for factor in sorted((*LENGTHS, 1.0)))

HELD_OUT: Curve = (
    *(Treatment.of(Rate(factor)) for factor in HELD_OUT_RATES),
    *(Treatment.of(Length(factor)) for factor in HELD_OUT_LENGTHS),
)

# All members of the two curves, the baseline first.
MEMBERS: Curve = tuple(dict.fromkeys((BASELINE, *RATE_CURVE, *LENGTH_CURVE)))
