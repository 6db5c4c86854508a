"""The fields of a study, what can be wrong with them, and what its replicates draw.

Which arms follow from them is told by `ddiv.study.study`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ddiv.common.own import OwnValue
from ddiv.common.values import Value
from ddiv.study.backbones import Backbone, Embedder
from ddiv.study.datasets import Complaints, ComplaintsWorld, Data, Own
from ddiv.study.domain_names import named_by, require_domain_names
from ddiv.study.measures import NetworkOutcome, united
from ddiv.study.recipe import Recipe
from ddiv.study.replicates import drawn_backbone, drawn_data, finite_pool
from ddiv.study.tables import Tables
from ddiv.treatment import FromScratch, Generator, OwnAugmentation, Placement, Setting
from ddiv.treatment.own_augmentation import label_of

Space = Literal["pixel", "embedding"]

# An augmentation of ddiv's by name, or one of a user's own.
AnAugmentation = str | OwnAugmentation


class Population(Value, frozen=True):
    """The fields of a study, which `ddiv.study.Study` explains."""

    name: str
    title: str
    data: Data | None = None
    backbone: Backbone | None = None
    recipe: Recipe | None = None
    domains: tuple[str, ...] = ()
    view_size: int = 0
    dropout_rates: tuple[float, ...] = ()
    single_placement_rates: tuple[float, ...] = ()
    decays: tuple[float, ...] = ()
    very_large_dropout: float = 0.0
    combinations: tuple[tuple[float, float], ...] = ()
    augmentations: tuple[AnAugmentation, ...] = ()
    extreme_augmentations: tuple[AnAugmentation, ...] = ()
    further_augmentations: tuple[AnAugmentation, ...] = ()
    generator: Generator | None = None
    generators: tuple[Generator, ...] = ()
    settings: tuple[Setting, ...] = ()
    shares: tuple[tuple[float, ...], ...] = ()
    rounds: int = 0
    class_counts: tuple[int, ...] = ()
    class_view_size: int = 0
    batches: tuple[int, ...] = ()
    embedders: tuple[Embedder, ...] = ()
    outcomes: tuple[NetworkOutcome, ...] = ()
    further_backbones: tuple[Backbone, ...] = ()
    piled: bool = False
    dropout_where: Placement = "all"
    coded_rates: tuple[float, ...] = ()
    kept: float = 0.0
    experiments: tuple[str, ...] = ()
    gradients: tuple[tuple[AnAugmentation, ...], ...] = ()
    both_augmentations: tuple[AnAugmentation, ...] = ()
    both_rates: tuple[float, ...] = ()
    scratch_rate: float = 1.0
    only: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(0, "view_size", "rounds", "class_view_size")
        self._require_what_is_trained()
        if len({*self.backbones}) < len(self.backbones) or len({*map(type, self.backbones)}) > 1:
            raise ValueError(
                "`further_backbones` are other checkpoints than `backbone` and of its kind, all "
                f"different, got {self.further_backbones}"
            )
        if not 0 <= self.very_large_dropout < 1:
            raise ValueError(f"a dropout rate lies in [0, 1), got {self.very_large_dropout}")
        if not 0 <= self.kept <= 1:
            raise ValueError(f"a filter keeps a share in (0, 1] of a pool, got {self.kept}")
        FromScratch(self.scratch_rate)  # refuses a rate that is not possible
        followed = self.both_augmentations or self.both_rates
        if followed and not (self.recipe and self.recipe.checkpoints):
            raise ValueError(
                "arms that are followed from two starts need `checkpoints` in the recipe: the "
                "epochs at which they are measured"
            )
        self._settle_domains()
        united(self.outcomes)  # refuses two functions of one name
        names = tuple(setting.name for setting in self.settings)
        augmentations = tuple(map(label_of, (*self.augmentations, *self.further_augmentations)))
        for what, given in (("`settings`", names), ("augmentations", augmentations)):
            if len({*given}) < len(given):
                raise ValueError(f"the {what} of a study have different names, got {given}")
        if self.generators and (self.generators[0], len(self.generators)) != (
            self.generator,
            len(self.settings),
        ):
            raise ValueError(
                "`generators` holds one for each of the `settings`, `generator` first, got "
                f"{len(self.generators)} for {len(self.settings)} settings"
            )
        if len(self.shares) != len(self.settings):
            raise ValueError(
                "`shares` holds a ladder for each of the generator's `settings`, "
                f"got {len(self.shares)} for {len(self.settings)}"
            )

    def _require_what_is_trained(self) -> None:
        lacking = [name for name in ("data", "backbone", "recipe") if getattr(self, name) is None]
        alone = lacking[-2:] == ["backbone", "recipe"] and self.experiments
        if not lacking or alone:
            return
        raise ValueError(
            f"the study {self.name} lacks `{lacking[0]}`: a study has `data`, a `backbone` and a "
            "`recipe`; one of experiments alone names these in `experiments` and needs no more"
        )

    @property
    def trains(self) -> bool:
        """Whether networks are trained in it; else only experiments are asked."""
        return self.recipe is not None

    def _settle_domains(self) -> None:
        """Let the domains that the study or its data name hold for both.

        Those of a function's data are known when it has made them: a profile fills them in.
        """
        if self.data is None:
            return
        if self.domains:
            require_domain_names(self.domains)
        data = named_by(self.data, self.domains)
        of_data = self.domains if isinstance(data, Own) else data.test_domains
        if isinstance(data, Complaints) and data.domain and not data.domains:
            raise ValueError(
                f"`domains` of the study {self.name} is missing: name the values of the column "
                f"{data.domain!r} that are used, the one to train on first"
            )
        if self.domains and self.domains != of_data:
            raise ValueError(
                f"the domains of the study {self.name} are its data's, {of_data}, got "
                f"{self.domains}: leave `domains` out of the study"
            )
        if of_data and not self.domains:
            require_domain_names(of_data)
        if data is not self.data:
            msgspec.structs.force_setattr(self, "data", data)
        if of_data != self.domains:
            msgspec.structs.force_setattr(self, "domains", of_data)

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """All checkpoints that replicates begin with."""
        return tuple(each for each in (self.backbone, *self.further_backbones) if each is not None)

    def data_of(self, seed: int) -> Data:
        """The data of the replicate `seed`, generated or split anew where some of it is drawn.

        Raises ValueError where the study has none.
        """
        if self.data is None:
            raise ValueError(f"the study {self.name} has no `data`")
        return drawn_data(self.data, self.name, seed)

    def backbone_of(self, seed: int) -> Backbone:
        """The backbone of the replicate `seed`: one of its checkpoints, in turns."""
        return drawn_backbone(self.backbones, seed)

    @property
    def finite_pool(self) -> str:
        """What all replicates have in common, in words that go on from "verdicts are conditional
        on"; "" where each replicate is new.
        """
        return finite_pool(self.data, self.backbones) if self.data else ""

    @property
    def fixed_sample(self) -> bool:
        """Whether the replicates are all that there is, as those of published tables are.

        An exact test over them decides then, without betting and without further seeds.
        """
        return isinstance(self.data, Tables)

    @property
    def spaces(self) -> tuple[Space, ...]:
        """The spaces in which the study's data has vectors: texts have no pixels."""
        match self.data:
            case ComplaintsWorld() | Complaints() | Own(texts=True):
                return ("embedding",)
        return ("pixel", "embedding")

    @property
    def own(self) -> tuple[OwnValue | Own | NetworkOutcome, ...]:
        """What functions and classes of the user's stand behind: data, model, augmentations, ..."""
        parts = (
            self.data,
            *self.backbones,
            self.generator,
            *self.generators,
            *self.embedders,
            *self.augmentations,
            *self.further_augmentations,
            *(name for names in self.gradients for name in names),
            *self.both_augmentations,
            *self.outcomes,
        )
        return tuple(part for part in parts if isinstance(part, OwnValue | Own | NetworkOutcome))

    @property
    def moderate_augmentations(self) -> tuple[AnAugmentation, ...]:
        return tuple(name for name in self.augmentations if name not in self.extreme_augmentations)

    @property
    def ood_domains(self) -> tuple[str, ...]:
        """All domains but the first, which is the training domain."""
        return self.domains[1:]
