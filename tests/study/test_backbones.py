"""Descriptions of networks."""

import pytest

from ddiv.study import OpenClip


def test_specs_of_open_clip_are_checked_and_told_apart():
    with pytest.raises(
        ValueError, match="`head` of OpenClip is one of 'random', 'zero-shot', got 'none'"
    ):
        OpenClip("RN50", "openai", "none")
    assert OpenClip("RN50", "openai").tower == "resnet"
    assert OpenClip("ViT-B-32", "openai").tower == "vit"
