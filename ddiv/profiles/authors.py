"""The authors' own ten studies, from the WeightWatcher tables of their public repository.

Read from a checkout, which --data-root names; nothing of it is in ddiv. Ten studies of one run an
arm: CLIP ViT-B/32 and RN50 on four data sets each, a ResNet-18 from scratch, and a BERT. What they
are and where the code departs from the paper's text: `ddiv.report.departures`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ddiv.data.root import data_root
from ddiv.study import Study, TableArm, TableSet, study_of_tables
from ddiv.treatment import (
    BASELINE,
    Added,
    Augmentation,
    Dropout,
    OpenAI,
    Setting,
    Synthetic,
    Treatment,
    WeightDecay,
)
from ddiv.treatment.names import AUGMENTATIONS, EXTREME

REPOSITORY = "https://github.com/YangBa78/Data-Diversity-as-Implicit-Regularization"

COMMIT = "5949497c141143c1f0d41a2e7b6b96baa2a45d73"  # of 9 December 2025

SOURCE = (
    f"git clone {REPOSITORY} && git -C Data-Diversity-as-Implicit-Regularization checkout "
    f"{COMMIT[:12]}, then --data-root Data-Diversity-as-Implicit-Regularization"
)

RATES, DECAYS = (0.1, 0.3, 0.5, 0.7), (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3)

# What their files call the ten augmentations, in the order of their list.
CALLED = dict(
    zip(
        AUGMENTATIONS,
        (
            "Auto",
            "Rand",
            "AugM",
            "TrAu",
            "Noize10",
            "Noize30",
            "Noize50",
            "Auto1",
            "Auto2",
            "Auto3",
        ),
        strict=True,
    )
)

# Of the text world: the kind of change and what files call it.
TEXTS = {"synonym": "sr", "insertion": "ri", "swap": "rs", "deletion": "rd"}

VIT, RN50, RESNET18, BERT = "CLIP ViT-B/32", "CLIP RN50", "ResNet-18", "BERT"

PILED = (
    "the ten augmentations were, by its tables, applied one on top of the other (inferred): an arm "
    "stands for all up to it"
)

HEAD_ONLY = "dropout acts before the classification layer only"

REPEATS = (
    "its ten augmented arms behave as repeats of its baseline (inferred), so their networks are "
    "left out of claims about augmentation"
)


class _Naming(NamedTuple):
    """How a study's files are called: its folder, what stands before and after an arm's name in the
    tables before and after training, and in the tables of scores.
    """

    label: str
    group: str
    folder: str
    end: str = ""  # of every table's name
    fine_tuned: tuple[str, str] = ("", "_ft")  # what marks a table after training: begin, end
    accuracy: str = ""
    ece: str = ""
    vendi: str = ""  # with {} for the space
    note: str = ""


STUDIES = (
    _Naming("vit-cifar10", VIT, "cf10", "_cf10"),
    _Naming("vit-cifar100", VIT, "cf100", "_cf100"),
    _Naming("vit-cars", VIT, "car", "_int", vendi="{}_int"),
    _Naming("vit-domainnet", VIT, "domain", "_dom", vendi="{}_cf"),
    _Naming("rn50-cifar10", RN50, "cf10-rn", "_fl", ("", "_ft"), "acc_fl", "ece_fl", "{}_fl"),
    _Naming("rn50-cifar100", RN50, "cf100-rn", "_fl", vendi="{}_fl"),
    _Naming("rn50-cars", RN50, "car_train", "_int", ("", "_ft"), "acc_int", "ece_int", "{}_int"),
    _Naming("rn50-domainnet", RN50, "domainnet", "", ("ft_", ""), "acc", "ece", "{}", REPEATS),
    _Naming("resnet18-cifar10", RESNET18, "train_from_scratch_10_cf10", "", ("ft_", "")),
)

# Their augmented arms stand for no augmentation in questions on networks.
AS_REPEATS = ("rn50-domainnet",)


def studies(with_repeats: bool = False) -> tuple[Study, ...]:
    """The ten as one study, a replicate each, with the scores that the checkout has.

    with_repeats: whether arms that behave as repeats of their baseline are among the arms.
    """
    sets = (*(_images(of, with_repeats) for of in STUDIES), _texts())
    return (
        study_of_tables(
            "authors",
            "The authors' published tables: ten studies, one run an arm",
            *sets,
            source=SOURCE,
            augmentations=AUGMENTATIONS,
            extreme_augmentations=EXTREME,
            # Of the ten's classification layers; no arm varies it.
            class_counts=(10, 34, 100, 142, 196),
        ),
    )


def _images(of: _Naming, with_repeats: bool = False) -> TableSet:
    accuracy, ece = _scores(of, of.accuracy), _scores(of, of.ece)
    pixel, embedding = (
        _scores(of, of.vendi.format(space)) if of.vendi else {} for space in ("pixel", "embedding")
    )

    def arm(treatment: Treatment, name: str, scored: str) -> TableArm:
        augmented = treatment.part(Augmentation) is not None
        repeats = augmented and of.label in AS_REPEATS and not with_repeats
        seen, embedded = pixel.get(scored), embedding.get(scored)
        if repeats:
            return TableArm(treatment, pixel=seen, embedding=embedded)
        percent = accuracy.get(scored)
        return TableArm(
            treatment,
            *_tables(of, name),
            accuracy=None if percent is None else percent / 100,
            ece=ece.get(scored),
            pixel=seen,
            embedding=embedded,
        )

    encoder = ("*",) if of.group == RESNET18 else ("clip_model.visual.*",)
    clip = of.group != RESNET18
    notes = (of.note,) if of.note else (PILED, HEAD_ONLY * clip)
    return TableSet(
        of.label,
        of.folder,
        (
            arm(BASELINE, "bs", "bs"),
            *(arm(Treatment.of(Dropout(rate)), f"dp{rate}", f"{rate}") for rate in RATES),
            *(arm(Treatment.of(WeightDecay(by)), f"wd{by}", f"{by}") for by in DECAYS),
            *(
                arm(Treatment.of(Augmentation(name)), f"div{called}", called)
                for name, called in CALLED.items()
            ),
        ),
        classifier="classifier" if clip else "fc",
        encoder=encoder,
        group=of.group,
        note="; ".join(filter(None, notes)),
    )


def _tables(of: _Naming, name: str) -> tuple[str, str]:
    """The files of an arm: before and after training."""
    begin, end = of.fine_tuned
    return f"ww-df/{name}{of.end}.csv", f"ww-df/{begin}{name}{of.end}{end}.csv"


def _texts() -> TableSet:
    """The BERT. Its tables hold no classification layer; what the authors call so is the pooler."""
    of = _Naming("bert-complaints", BERT, "bert", "", ("ft_", ""))

    def arm(treatment: Treatment, folder: str, name: str) -> TableArm:
        before, after = (f"{folder}/{file}" for file in _tables(of, name))
        return TableArm(treatment, before, after)

    changed = [
        arm(Treatment.of(Augmentation(f"{kind}{share}")), "DIV", f"div_{called}_0{share // 10}")
        for kind, called in TEXTS.items()
        for share in (30, 50)
    ]
    # Of "gen" and "vf" files are called by the share of real texts, of "add" by that of synthetic.
    tenths = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    real = {
        share: f"divgen0{round(10 - 10 * share)}" if share < 1 else "divgen" for share in tenths
    }
    new = {share: f"divgen0{round(10 * share)}" if share < 1 else "divgen" for share in tenths}
    drawn = OpenAI()
    mixed = [
        arm(Treatment.of(Synthetic(share, drawn, Setting(setting))), folder, real[share])
        for setting, folder in (("gen", "reg"), ("vf", "vf"))
        for share in tenths
    ]
    added = [
        arm(Treatment.of(Added(share, drawn, Setting("add"))), "add", new[share])
        for share in tenths
    ]
    return TableSet(
        of.label,
        of.folder,
        (
            arm(BASELINE, "reg", "bs"),
            *(arm(Treatment.of(Dropout(rate)), "reg", f"dp{rate}") for rate in RATES),
            *(arm(Treatment.of(WeightDecay(by)), "reg", f"wd{by}") for by in DECAYS),
            *changed,
            *mixed,
            *added,
        ),
        classifier="bert.pooler.dense",
        encoder=("bert.encoder.*",),
        group=BERT,
        note="its classifier here is the pooler: the tables hold no classification layer",
    )


def _scores(of: _Naming, table: str) -> Mapping[str, float]:
    """The one row of a table of scores by the arms' names; empty where there is no such table.

    Raises ValueError on a file of another shape.
    """
    path = data_root() / of.folder / f"{table}.csv"
    if not table or not path.is_file():
        return {}
    try:
        return _row(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is no row of scores under the arms' names ({error}): check out commit "
            f"{COMMIT[:12]}"
        ) from error


def _row(path: Path) -> dict[str, float]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, row, *_ = csv.reader(file)
    return {name: float(score) for name, score in zip(header, row, strict=True)}
