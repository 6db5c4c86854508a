"""A study of published tables, its doses and augmentations read off the arms that they have."""

from __future__ import annotations

from typing import Any

from ddiv.study.backbones import AsPublished
from ddiv.study.recipe import Recipe
from ddiv.study.study import Study
from ddiv.study.tables import Tables, TableSet
from ddiv.treatment import Augmentation, Dropout, Treatment, WeightDecay

# Nothing is trained by it.
_NONE = Recipe(epochs=1, batch=1, lr=1.0)


def study_of_tables(
    name: str,
    title: str,
    *sets: TableSet,
    source: str = "",
    fine_tuned: bool = True,
    **further: Any,
) -> Study:
    """The study whose replicates are these sets of tables.

    Its dropout rates, decays and augmentations are those of any set's arms that have nothing else;
    `source` says how one gets the tables; `further` are fields of `Study`. A question is asked of
    the sets that have all of its arms.
    """
    treatments = list(dict.fromkeys(arm.treatment for one in sets for arm in one.arms))
    rates = {part.rate for part in _alone(treatments, Dropout) if part.where == "all"}
    decays = {part.value for part in _alone(treatments, WeightDecay)}
    names = [part.name for part in _alone(treatments, Augmentation)]
    arms = [arm for one in sets for arm in one.arms]
    scored = any(arm.pixel is not None or arm.embedding is not None for arm in arms)
    fields: dict[str, Any] = {
        "dropout_rates": tuple(sorted(rates)),
        "decays": tuple(sorted(decays)),
        "augmentations": tuple(dict.fromkeys(names)),
        # How many examples were scored only the tables' makers know; 1 says that there is a score.
        "view_size": 1 if scored else 0,
        "embedders": (AsPublished(fine_tuned),) if scored else (),
    }
    return Study(
        name=name,
        title=title,
        data=Tables(tuple(sets), source),
        backbone=AsPublished(fine_tuned),
        recipe=_NONE,
        **fields | further,
    )


def _alone(treatments: list[Treatment], kind: Any) -> list[Any]:
    """The parts of this kind that are a treatment by themselves."""
    return [
        part
        for each in treatments
        if len(each.parts) == 1 and (part := each.part(kind)) is not None
    ]
