"""The span of rows: what it holds of their energy, and what lies outside."""

import numpy as np
import pytest

from ddiv.diversity.span import Span


def test_span_holds_what_it_says_of_its_own_images_and_nothing_across_it():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 6)) * [5, 3, 2, 1, 0, 0] + 7
    span = Span.of(rows)
    for held in (0.5, 0.9, 0.99):
        kept = (span.energy.cumsum() / span.energy.sum() < held).sum() + 1
        assert (
            span.outside(rows, held)
            == pytest.approx(1 - span.energy[:kept].sum() / span.energy.sum())
            and kept < 5
        )
        assert span.outside(rows, held) <= 1 - held
    across = span.centre + np.array([[0, 0, 0, 0, 1.0, -2.0]])
    assert (
        span.outside(across, 0.99) == pytest.approx(1) and span.outside(span.centre[None], 0.9) == 0
    )
    with pytest.raises(ValueError, match="share between 0 and 1"):
        span.outside(rows, 1.0)
    with pytest.raises(ValueError, match="no direction"):
        Span.of(np.ones((5, 3)))
