"""Checks of a study that somebody wrote, made before anything is trained."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

import msgspec

from ddiv.common.errors import TrialFailed
from ddiv.common.values import require_name
from ddiv.study import (
    Backbone,
    Bert,
    Data,
    Embedder,
    Gru,
    Lsa,
    OwnEmbedder,
    OwnModel,
    Recipe,
    Study,
)
from ddiv.treatment import Generator, NGram, OpenAI, OwnAugmentation, OwnGenerator, once
from ddiv.treatment.own_augmentation import label_of

LADDERS = (
    *("dropout_rates", "single_placement_rates", "coded_rates", "decays", "class_counts"),
    *("batches", "both_rates"),
)


def checked(study: Study) -> Study:
    """The study.

    Raises ValueError on a name that cannot be typed, a dose that is not possible, a ladder of doses
    that does not rise, fields that go without another, and what is for data of another kind.
    """
    require_name("a study's name", study.name)
    if study.recipe is None:
        return study
    _require_kind(study)
    for name, ladder in _ladders(study):
        if any(low >= high for low, high in pairwise((0, *ladder))):
            raise ValueError(f"`{name}` has to rise from above 0 (0 is the baseline), got {ladder}")
    if any(low >= high for low, high in pairwise(study.recipe.checkpoints)):
        raise ValueError(f"`checkpoints` have to rise, got {study.recipe.checkpoints}")
    if study.generator and not study.settings:
        raise ValueError(
            "`generator` needs `settings`, and a ladder of `shares` for each of them: "
            'settings=(Setting("good"),), shares=((0.15, 0.25, 0.35),), say'
        )
    given = [name for name in ("settings", "generators", "rounds", "kept") if getattr(study, name)]
    if given and not study.generator:
        raise ValueError(f"`{given[0]}` needs a `generator` of synthetic examples")
    if study.embedders and not study.view_size:
        raise ValueError(
            "`embedders` need `view_size`, the number of training examples on which diversity is "
            "scored: view_size=500, say, and no more than the training set has"
        )
    if unlisted := {*study.extreme_augmentations} - {*study.augmentations}:
        raise ValueError(
            "`extreme_augmentations` are some of the `augmentations`, "
            f"got {', '.join(sorted(map(label_of, unlisted)))}"
        )
    for augmentation in (
        *(*study.augmentations, *study.further_augmentations, *study.both_augmentations),
        *(name for names in study.gradients for name in names),
    ):
        _require_augmentation(augmentation, texts="pixel" not in study.spaces)
    _ = study.arms  # makes every treatment, and a treatment refuses a dose that is not possible
    return study


# What reads or makes texts; of a user's own a step shows it, where it is trained.
_OF_TEXTS = (Bert, Gru, Lsa, NGram, OpenAI)
_OF_BOTH = (OwnEmbedder, OwnGenerator, OwnModel)


def _require_kind(study: Study) -> None:
    """Raise ValueError where the data are images, and a part of the study is for texts; or so."""
    texts = "pixel" not in study.spaces
    parts: dict[str, Sequence[object]] = {
        "backbone": study.backbones,
        "embedders": study.embedders,
        "generator": [*filter(None, (study.generator, *study.generators))],
    }
    for name, part in ((name, part) for name, parts in parts.items() for part in parts):
        if not isinstance(part, _OF_BOTH) and isinstance(part, _OF_TEXTS) != texts:
            has, other = ("texts", "images") if texts else ("images", "texts")
            raise ValueError(
                f"`{name}`: {type(part).__name__} is for {other}, and the data of the study, "
                f"{type(study.data).__name__}, are {has}"
            )


def _require_augmentation(augmentation: str | OwnAugmentation, texts: bool) -> None:
    from ddiv.treatment.augment import (
        require_augmentation,  # imports torch, which other studies need not
    )

    part = once(augmentation)

    def told(texts: bool) -> str:
        try:
            require_augmentation(part.name if part else augmentation, texts)
        except (ValueError, TrialFailed) as error:
            return str(error)
        return ""

    if error := told(texts):
        has, other = ("texts", "images") if texts else ("images", "texts")
        kind = f"{label_of(augmentation)!r} is an augmentation of {other}, and the data are {has}"
        raise ValueError(error if told(not texts) else f"{kind}: {error}")


def _ladders(study: Study) -> Iterator[tuple[str, Sequence[float]]]:
    yield from ((name, getattr(study, name)) for name in LADDERS)
    yield from (("shares", ladder) for ladder in study.shares)


def types_hint(error: str) -> str:
    """The types of data or of backbones that there are, to add to an error about a table.

    Empty where the error is about something else.
    """
    unions = {"data": Data, "backbone": Backbone, "generator": Generator, "embedders": Embedder}
    for part, union in unions.items():
        if ("type" in error or "`source`" in error) and f".{part}" in error:
            tags = [spec.__struct_config__.tag for spec in get_args(union)]
            known = ", ".join(tag for tag in tags if not tag.startswith("own-"))
            return f"; types of {part}: {known} (a function of your own takes a Python file)"
    return ""


def require_known(table: object, struct: object) -> None:
    """Raise ValueError where a table, as TOML has it, has a field that its struct does not have.

    `struct` was made from the table. Tables within the table are checked too.
    """
    if isinstance(table, Mapping) and isinstance(struct, msgspec.Struct):
        fields = struct.__struct_fields__
        for name, value in table.items():
            if name not in fields and name != struct.__struct_config__.tag_field:
                hint = closest(name, fields)
                raise ValueError(f"{type(struct).__name__} has no field {name!r}{hint}")
            require_known(value, getattr(struct, name, None))
    elif (
        isinstance(table, Sequence) and isinstance(struct, Sequence) and not isinstance(table, str)
    ):
        for row, part in zip(table, struct):
            require_known(row, part)


def closest(name: str, there: Sequence[str] = ()) -> str:
    """A hint at the field that was meant: of those given, or of a study and all its parts."""
    parts: tuple[Any, ...] = (Study, Recipe, *get_args(Data), *get_args(Backbone))
    fields = there or list(
        dict.fromkeys(field for part in parts for field in part.__struct_fields__)
    )
    if similar := difflib.get_close_matches(name, fields, n=1):
        return f"; did you mean {similar[0]!r}?"
    return f"; there are: {', '.join(there)}" if there else ""
