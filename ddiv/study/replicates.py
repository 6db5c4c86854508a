"""What a replicate draws of a study: its data, and which of the pre-trained checkpoints it has.

Everything here is frozen data without torch or numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ddiv.common.draws import stream
from ddiv.study.backbones import Backbone, Bert, Clip, OpenClip
from ddiv.study.datasets import (
    DIGITS,
    Arrays,
    CartPole,
    Complaints,
    ComplaintsWorld,
    Data,
    Digits,
    DomainNet,
    Images,
    Own,
    Published,
    World,
)
from ddiv.study.tables import Tables, TableSet

# What older libraries take as a seed: data of a user's own may be drawn by any.
SEEDS = 2**32


def drawn_data(data: Data, study: str, seed: int) -> Data:
    """The data of the replicate `seed` of the study of this name.

    Worlds are generated anew and other data are split anew, by a number that is mixed of the data's
    own, the study's name and the replicate, so that no two studies share a draw. Data of which
    nothing is drawn stay as they are. Of tables the replicate i is the i-th set; raises IndexError
    where there are fewer.
    """
    match data:
        case Tables():  # what is only told of a set names no record
            return msgspec.structs.replace(data.sets[seed], group="", note="")
        case World() | ComplaintsWorld() | CartPole() | Own(seed=int()):
            return msgspec.structs.replace(data, seed=_mixed(data.seed or 0, study, seed))
        case Digits() | Images() | Complaints() | DomainNet():
            return msgspec.structs.replace(data, split_seed=_mixed(data.split_seed, study, seed))
        case Arrays() | Published() if data.per_class or data.test_per_class:
            return msgspec.structs.replace(data, split_seed=_mixed(data.split_seed, study, seed))
    return data


def _mixed(own: int, study: str, seed: int) -> int:
    return stream(own, f"data of {study}, replicate {seed}") % SEEDS


def undrawn(data: Data) -> Data:
    """The data as a study file may have them: one value for all replicates of any study."""
    match data:
        case World() | ComplaintsWorld() | CartPole() | Own(seed=int()):
            return msgspec.structs.replace(data, seed=0)
        case Own() | Tables() | TableSet():
            return data
    return msgspec.structs.replace(data, split_seed=0)


def drawn_backbone(backbones: Sequence[Backbone], seed: int) -> Backbone:
    """The one of a study's checkpoints that the replicate `seed` begins with."""
    return backbones[seed % len(backbones)]


def finite_pool(data: Data, backbones: Sequence[Backbone]) -> str:
    """What all replicates of a study have in common, and its verdicts are conditional on.

    In words that go on from "verdicts are conditional on"; "" where each replicate is new.
    """
    parts = (_pool(data), _checkpoints(backbones))
    return " and ".join(filter(None, parts))


def _pool(data: Data) -> str:
    match data:
        case Digits():
            return f"one pool of {DIGITS:,} images, which each replicate splits anew"
        case Complaints():
            return "one file of complaints, which each replicate splits anew"
        case Images():
            return "one folder of images, split anew by each replicate where it has no test folder"
        case DomainNet():
            return "one official split, of which each replicate draws its training images"
        case Arrays() | Published():
            kind = "official split" if isinstance(data, Published) else "file with its split"
            drawn = bool(data.per_class or data.test_per_class)
            return f"one {kind}" + ", of which each replicate draws a part" * drawn
        case Own(seed=None):
            return "one data set"
        case Tables():
            count = len(data.sets)
            runs = f"these {count} published studies" if count > 1 else "one published study"
            return f"{runs}, each of one run an arm and one baseline that all of its arms share"
    return ""


def _checkpoints(backbones: Sequence[Backbone]) -> str:
    if not isinstance(next(iter(backbones), None), Clip | Bert | OpenClip):
        return ""
    several = len(backbones) > 1
    return f"{len(backbones) if several else 'one'} pre-trained checkpoint{'s' * several}"
