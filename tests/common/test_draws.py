"""Streams of random numbers by purpose."""

import torch

from ddiv.common.draws import generator, stream


def test_streams_of_one_seed_differ_by_purpose():
    assert len({stream(0, "init"), stream(0, "order"), stream(1, "init")}) == 3
    assert torch.equal(
        torch.rand(3, generator=generator(5, "x")), torch.rand(3, generator=generator(5, "x"))
    )
