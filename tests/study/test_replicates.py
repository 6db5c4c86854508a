"""What replicates draw of a study, and what they have in common."""

import msgspec
import pytest

from ddiv.profiles.choose import profile
from ddiv.study import (
    Arrays,
    Clip,
    Complaints,
    ComplaintsWorld,
    Digits,
    DomainNet,
    Images,
    MiniAlexNet,
    OpenClip,
    Own,
    Published,
    Recipe,
    ResNet18,
    Study,
    World,
)
from ddiv.study.replicates import SEEDS, undrawn

DRAWN = [
    World(2, 1, 1),
    Digits(120),
    ComplaintsWorld(1, 1, 1),
    Complaints(""),
    Images("pets"),
    Arrays("0" * 64, per_class=5),
    Published("cifar10", test_per_class=5),
    DomainNet(),
    Own("f", "x", seed=0),
]
FIXED = [Arrays("0" * 64), Published("cifar10"), Own("f", "x")]


def study(data=DRAWN[0], name="mine", **fields) -> Study:
    given = {"backbone": ResNet18(4), "recipe": Recipe(1, 8, 0.1)} | fields
    domains = ("a",) if isinstance(data, Own) else ()
    return Study(name, "a title", data, domains=domains, **given)


@pytest.mark.parametrize("data", DRAWN, ids=str)
def test_no_replicate_and_no_study_shares_its_data_with_another(data):
    of = [study(data, name).data_of(seed) for name in ("a", "b") for seed in (0, 1, 1_000_000)]
    assert len({*of, data}) == len(of) + 1 and of[0] == study(data, "a").data_of(0)
    assert {*map(undrawn, of)} == {data}
    field = "split_seed" if hasattr(data, "split_seed") else "seed"
    other = msgspec.structs.replace(data, **{field: 7})
    assert study(other, "a").data_of(0) not in of  # a study file's own number counts, too
    assert all(0 <= getattr(each, field) < SEEDS for each in of)


@pytest.mark.parametrize("data", FIXED, ids=str)
def test_data_of_which_nothing_is_drawn_stay(data):
    assert {study(data, name).data_of(seed) for name in "ab" for seed in range(3)} == {data}


def test_replicates_take_turns_with_checkpoints():
    clips = tuple(Clip(weights * 64) for weights in "abc")
    several = study(backbone=clips[0], further_backbones=clips[1:])
    assert [several.backbone_of(seed) for seed in range(4)] == [*clips, clips[0]]
    assert several.backbone_of(1_000_000) != several.backbone_of(0)
    assert study().backbone_of(5) == ResNet18(4)


@pytest.mark.parametrize(
    "further", [(Clip("a" * 64),), (Clip("b" * 64),) * 2, (ResNet18(4),), (OpenClip("RN50", "x"),)]
)
def test_further_checkpoints_are_others_of_the_same_kind(further):
    with pytest.raises(ValueError, match="other checkpoints than `backbone` and of its kind"):
        study(backbone=Clip("a" * 64), further_backbones=further)


def test_what_verdicts_are_conditional_on():
    clips = tuple(Clip(weights * 64) for weights in "abc")
    assert study().finite_pool == study(ComplaintsWorld(1, 1, 1)).finite_pool == ""
    assert study(backbone=clips[0]).finite_pool == "one pre-trained checkpoint"
    several = study(Digits(9), backbone=clips[0], further_backbones=clips[1:])
    pool = "one pool of 1,797 images, which each replicate splits anew"
    assert several.finite_pool == f"{pool} and 3 pre-trained checkpoints"
    assert study(Own("f", "x", seed=0), backbone=MiniAlexNet(2, 2)).finite_pool == ""
    assert all(study(data).finite_pool for data in (*FIXED, *DRAWN[3:8]))


def test_studies_of_the_profile_share_no_data():
    studies = profile("embedded").studies
    of = [each.data_of(seed) for each in studies if each.data for seed in range(16)]
    assert len({*of}) == len(of)
