"""What can be wrong with a study that somebody wrote, found before anything is trained."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import msgspec

from ddiv.study import Backbone, Data, Recipe, Study

LADDERS = ("dropout_rates", "single_placement_rates", "decays", "class_counts", "batches")


def checked(study: Study) -> Study:
    """The study with lists made tuples.

    Raises ValueError on a field of another type, a dose that cannot be, a ladder of doses that does
    not rise, and an augmentation that there is not.
    """
    # making an object checks no types, reading one does
    study = msgspec.convert(msgspec.to_builtins(study), Study)
    for name, ladder in _ladders(study):
        if any(low >= high for low, high in zip((0, *ladder), ladder)):
            raise ValueError(f"`{name}` has to rise from above 0 (0 is the baseline), got {ladder}")
    if len(study.shares) != len(study.settings):
        raise ValueError(
            f"`shares` holds a ladder for each of the generator's `settings`, got {len(study.shares)} for "
            f"{len(study.settings)}"
        )
    if strange := {*study.extreme_augmentations} - {*study.augmentations}:
        raise ValueError(
            f"`extreme_augmentations` are some of the `augmentations`, got {', '.join(sorted(strange))}"
        )
    if augmentations := (*study.augmentations, *study.further_augmentations):
        from ddiv.inputs import require_augmentation  # torch: only here

        for name in augmentations:
            require_augmentation(name, texts="pixel" not in study.spaces)
    study.arms  # a treatment refuses a dose that cannot be
    return study


def _ladders(study: Study) -> Iterator[tuple[str, Sequence[float]]]:
    yield from ((name, getattr(study, name)) for name in LADDERS)
    yield from (("shares", ladder) for ladder in study.shares)


def types_hint(error: str) -> str:
    """What to add to an error about the `type` of data or of a backbone in a table: those that
    there are.
    """
    for part, union in (("data", Data), ("backbone", Backbone)):
        if ("type" in error or "`source`" in error) and f".{part}" in error:
            tags = [one.__struct_config__.tag for one in get_args(union)]
            there = [tag for tag in tags if not tag.startswith("own-")]
            return f"; types of {part}: {', '.join(there)} (a function of your own takes a Python file)"
    return ""


def require_known(table: object, made: object) -> None:
    """Raise ValueError on a field of a table, as TOML has it, of which the struct made of it knows
    nothing.
    """
    if isinstance(table, Mapping) and isinstance(made, msgspec.Struct):
        for name, value in table.items():
            if name not in made.__struct_fields__ and name != made.__struct_config__.tag_field:
                raise ValueError(
                    f"{type(made).__name__} has no field {name!r}"
                    + closest(name, made.__struct_fields__)
                )
            require_known(value, getattr(made, name, None))
    elif isinstance(table, Sequence) and isinstance(made, Sequence) and not isinstance(table, str):
        for part, of in zip(table, made):
            require_known(part, of)


def closest(name: str, there: Sequence[str] = ()) -> str:
    """A hint at the field that was meant: of those given, or of a study and all its parts."""
    parts: tuple[Any, ...] = (Study, Recipe, *get_args(Data), *get_args(Backbone))
    fields = there or list(
        dict.fromkeys(field for part in parts for field in part.__struct_fields__)
    )
    found = difflib.get_close_matches(name, fields, n=1)
    return (
        f"; did you mean {found[0]!r}?"
        if found
        else f"; there are: {', '.join(there)}"
        if there
        else ""
    )
