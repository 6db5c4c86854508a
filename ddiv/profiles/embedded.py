"""The built-in profiles on two cores: `embedded` for a newcomer's patience, `full` for nights.

Both are the same studies: records of one are records of the other, but for merged-weights, which
has more images in `full`. `embedded` selects arms so that every row of the catalogue is asked of
one study at least; `full` has all arms, and more seeds for the paper's main claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ddiv.profiles import digit_experiments, studies
from ddiv.profiles.computed import computed
from ddiv.profiles.profile import Profile
from ddiv.study import Study
from ddiv.treatment.names import EXTREME

# Too few arms for what is said of the diversity of many training sets.
_WITHOUT_VIEWS: dict[str, Any] = {"view_size": 0, "embedders": (), "class_counts": ()}

# Six of v1's ten augmentations: the others are drawn as `auto` and `rand` are, from other lists.
_OF_IMAGES = ("auto", "rand", "noise10", "noise30", "noise50", "auto-v3")

# On the dear studies six seeds decide: one fewer than kinds of claims need that say several things
# of two groups. These are decided on the digits, and everywhere in `full`. Fine-tuning beside
# training from scratch has too few seeds here to be decided at all.
_FEWER_SEEDS = {
    **dict.fromkeys(("clip-world", "clip-rn-world", "bert-complaints", "policy-cartpole"), 6),
    **dict.fromkeys(("initialisations", "feature-noise", "causal-tables"), 6),
    "clip-two-starts": 3,
}


def embedded() -> Profile:
    """Studies that run on two CPU cores in about a quarter of an hour, without a download."""
    selected = (
        # Vision by fine-tuning: v1's augmentations, and synthetic images.
        _selected(
            studies.clip_world(),
            dropout_rates=(0.05, 0.15),
            single_placement_rates=(),
            decays=(1e-4, 1e-3, 1e-2),
            augmentations=_OF_IMAGES,
            further_augmentations=(),
            gradients=(("noise10", "noise30", "noise50"),),
            settings=("captioned",),
            shares=(0.15, 0.25, 0.35, 1.0),
            class_counts=(1, 5, 20, 60),
            embedders=(studies.clip(),),
        ),
        # Real images, from scratch: a generator of their own, retrained on its samples.
        _selected(
            studies.resnet18_digits(),
            dropout_rates=(0.05, 0.1),
            decays=(1e-4, 1e-3, 2e-2),
            augmentations=("auto", "noise10", *EXTREME),
            settings=("good",),
            shares=(0.15, 0.25, 0.35, 0.5, 1.0),
            rounds=3,
            class_counts=(1, 3, 7, 10),
        ),
        # Language.
        _selected(
            studies.bert_complaints(),
            dropout_rates=(0.05, 0.15),
            decays=(1e-4, 1e-2),
            single_placement_rates=(),
            augmentations=("deletion30",),
            settings=(),
            **_WITHOUT_VIEWS,
        ),
        # v1's second backbone, with what it alone is asked.
        _selected(
            studies.clip_rn_world(),
            only=("drop-very-large", "backbone-rn50"),
            dropout_rates=(0.1, 0.2),
            decays=(1e-3, 3e-2),
            combinations=((0.2, 3e-2),),
            augmentations=("auto",),
            **_WITHOUT_VIEWS,
        ),
        _selected(studies.mini_alexnet_digits(), batches=(2, 4, 8, 16, 64, 300)),
        # The second version's open questions, smaller: fine-tuning beside training from scratch,
        # and one of the further architectures.
        _selected(studies.clip_two_starts(), both_augmentations=("noise10",), both_rates=()),
        _selected(
            studies.policy_cartpole(),
            dropout_rates=(0.02, 0.1),
            decays=(1e-5, 1e-3),
            augmentations=("noise1", "noise3"),
        ),
        # What the mechanism of the second version says, computed.
        studies.closed_forms(),
        # What numbers of spectra tell, small networks, and averages of weights.
        *computed(),
        # Neighbouring papers, small.
        *map(_small, (studies.initialisations(), studies.feature_noise(), studies.causal_tables())),
        # What neighbouring papers say of representations and of generated images.
        digit_experiments.digits_shapes(),
        digit_experiments.few_digits(),
    )
    title = "Embedded studies: generated and shipped data, small models"
    return Profile("embedded", title, selected, seeds=3, max_seeds=7, study_seeds=_FEWER_SEEDS)


def full() -> Profile:
    """All arms of the embedded studies, also as the paper's published code has them, and up to 15
    seeds for the paper's main claims: a night.
    """
    whole = (
        studies.clip_world(),
        studies.clip_rn_world(),
        studies.resnet18_world(),
        studies.resnet18_digits(),
        studies.mini_alexnet_digits(),
        studies.bert_complaints(),
        studies.clip_world_as_coded(),
        studies.clip_rn_world_as_coded(),
        studies.resnet18_world_as_coded(),
        studies.bert_two_complaints(),
        studies.bert_two_complaints_as_coded(),
        studies.clip_two_starts(),
        studies.gru_complaints(),
        studies.mixer_world(),
        studies.policy_cartpole(),
        studies.closed_forms(),
        *computed(whole=True),
        studies.initialisations(),
        studies.feature_noise(),
        studies.causal_tables(),
        digit_experiments.digits_shapes(),
        digit_experiments.digits_shapes_resnet(),
        digit_experiments.few_digits(),
        digit_experiments.few_digits_resnet(),
    )
    title = "Embedded studies whole: every claim on every study that it can be asked of"
    return Profile("full", title, whole, seeds=3, max_seeds=7, headline_seeds=15)


def smoke() -> Profile:
    """One study so small that it trains in a blink: shows that the installation works.

    Its verdicts mean nothing.
    """
    return Profile("smoke", "A trial of the machinery", (studies.smoke(),), seeds=3, max_seeds=7)


def _small(study: Study) -> Study:
    """A study of experiments with those of the small size."""
    small = tuple(name for name in study.experiments if name.endswith(", small"))
    return msgspec.structs.replace(study, experiments=small)


def _selected(
    study: Study,
    settings: Sequence[str] | None = None,
    shares: tuple[float, ...] = (),
    **changes: Any,
) -> Study:
    """A study with some of its arms: `changes` by field, and the settings of these names.

    `shares`, where given, are those of each setting.
    """
    there = changes.get("augmentations", study.augmentations)
    extreme = tuple(name for name in study.extreme_augmentations if name in there)
    if settings is not None:
        kept = [i for i, each in enumerate(study.settings) if each.name in settings]
        changes["settings"] = tuple(study.settings[i] for i in kept)
        changes["shares"] = tuple(shares or study.shares[i] for i in kept)
        changes["generators"] = tuple(study.generators[i] for i in kept if study.generators)
        changes["generator"] = study.generator if kept else None
    return msgspec.structs.replace(study, extreme_augmentations=extreme, **changes)
