"""Studies: which dataset, backbone and hyper-parameters a claim is tested on, and in which arms.

Everything here is frozen data without torch. Datasets are in `ddiv.study.datasets`, backbones in
`ddiv.study.backbones`, the fields in `ddiv.study.population`.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

from ddiv.study.optimisation import HELD_OUT, LENGTH_CURVE, MEMBERS, RATE_CURVE, Curve
from ddiv.study.population import AnAugmentation, Population
from ddiv.treatment import (
    BASELINE,
    Added,
    Again,
    Anchored,
    Augmentation,
    BatchSize,
    Blurred,
    Captioned,
    Classes,
    Dropout,
    EvaluationDropout,
    Filtered,
    Flow,
    FromScratch,
    Generator,
    Ladder,
    NoOp,
    Normalised,
    OtherSeed,
    Part,
    Piled,
    Placement,
    Rectified,
    Setting,
    ShuffledLabels,
    Synthetic,
    Traced,
    Treatment,
    Unswitched,
    Unused,
    WeightDecay,
    ladder,
    once,
)
from ddiv.treatment.names import DESCRIBED

# How an augmentation is by itself where a study has piles.
Alone = Literal["once", "anew", "described", "normalised"]

# How many A/A arms a study with piles has.
A_A_ARMS = 3

# The synthetic shares of v1's table 2.
TABLE_SHARES = (0.15, 0.25, 0.35)

# Those at which ways of mixing are compared.
MIXED_SHARES = (0.5, 1.0)

# All that the published code does with a BERT beside what the paper describes.
_AS_CODED = Treatment.of(Rectified(), Unswitched())

# How the repeats of the baseline are numbered that are followed from two starts.
REPEATS = (1, 2)

# Generators whose images have fewer pixels than a study's, and are enlarged.
SMALL = (Flow, Captioned)


class Study(Population, frozen=True):
    """The population of a claim, and the doses and augmentations that its arms use.

    An empty field means that the study has no such arms. One without `backbone` and `recipe` trains
    nothing: only its `experiments` are asked, which may read its `data`.

    - `further_backbones`: other pre-trained checkpoints of the backbone's kind, with which and
      `backbone` replicates take turns;
    - `domains`: the names of the test sets, that of the training set first. Named here or in
      `data`, they hold for both; without them they are those that the data have;
    - `view_size`: the number of training examples on which diversity is scored;
    - `dropout_where`: the places of the dropout ladder;
    - `single_placement_rates`: the dropout rates of the head-only and encoder-only ladders;
    - `very_large_dropout`: a rate before the classification layer; `combinations`: pairs of a
      dropout rate and a decay (both v1 figure 8);
    - `augmentations`: by name, drawn anew in each epoch; "NAME-once30" changes 30 % of the examples
      once, before training;
    - `piled`: an arm of `augmentations` is a pile of all from the first to this one, drawn once, as
      the paper's published code makes them; further arms tell what of that does what (`alone`);
    - `extreme_augmentations`: those of `augmentations` that are expected to harm;
    - `generators`: that of each of the `settings`, `generator` first, where they draw from several;
    - `settings`: of the generator, the better one first; `shares`: the synthetic shares of each
      setting; `rounds`: how often the generator is retrained on its own output;
    - `class_counts` and `batches`: ladders of label classes and of batch sizes; views of few
      classes have `class_view_size` examples (0: `view_size`);
    - `coded_rates`: dropout rates of arms with what the paper's published code does beside what the
      paper describes, of which the decays and each departure by itself have arms too;
    - `kept`: the share of synthetic examples that a filter keeps, in arms of filtered ones;
    - `embedders`: they make the vectors that diversity is read off; claims rest on the first;
    - `outcomes`: those of your own that are computed of every trained network
      (`ddiv.outcome.of_network`), so that all claims that ask for them share their trials;
    - `experiments`: the groups of experiments (`ddiv.study.experiments`) that claims may ask here;
    - `gradients`: augmentations of one kind, each kind from its weakest to its strongest;
    - `both_augmentations`, `both_rates`: augmentations and dropout rates whose arms are trained
      from the checkpoint and from random weights, there at `scratch_rate` times the encoder's
      learning rate, and followed at the recipe's checkpoints;
    - `only`: the ids of the claims that are put to it (empty: all that apply).
    """

    def dropout(self, where: Placement | None = None) -> Ladder:
        """The ladder of (rate, treatment) from 0 (the baseline) to the largest rate.

        At `dropout_where`, or with the `single_placement_rates` at another place.
        """
        rates = self.dropout_rates if where in (None, "all") else self.single_placement_rates
        return ladder(partial(Dropout, where=where or self.dropout_where), rates)

    def decay(self) -> Ladder:
        """The ladder of (weight decay, treatment) from 0 (the baseline) to the largest."""
        return ladder(WeightDecay, self.decays)

    def augmentation(self, name: AnAugmentation) -> Treatment:
        """The arm of an augmentation: drawn anew in each epoch; of a `piled` study, the pile of
        its augmentations up to this one. "NAME-once30" changes 30 % of the examples once.
        """
        if self.piled and name in self.augmentations:
            return Treatment.of(Piled(self.augmentations[: self.augmentations.index(name) + 1]))
        return Treatment.of(once(name) or Augmentation(name))

    @property
    def as_coded(self) -> Treatment:
        """What the published code does with a BERT beside what the paper describes, at no dose."""
        return _AS_CODED

    def coded_dropout(self) -> Ladder:
        """`dropout` as the published code has it: before the classification layer only, in
        evaluation too, and with the other departures. It begins with these alone.
        """
        rungs = ladder(partial(Dropout, where="head"), self.coded_rates)
        return tuple((rate, arm + _AS_CODED) for rate, arm in rungs)

    @property
    def at_test(self) -> tuple[tuple[Treatment, Treatment], ...]:
        """Pairs of arms with the same weights: dropout before the classification layer stays on in
        testing, as the published code has it, and does not.
        """
        heads = [Treatment.of(Dropout(rate, "head")) for rate in self.coded_rates]
        return tuple((arm + Unswitched("head"), arm) for arm in heads)

    @property
    def both(self) -> tuple[tuple[Treatment, Treatment], ...]:
        """Pairs of one arm from the checkpoint and from random weights, both followed."""
        augmented = [Augmentation(name) for name in self.both_augmentations]
        parts: list[Part] = [*augmented, *map(Dropout, self.both_rates)]
        return tuple(self._from_both(part) for part in parts)

    @property
    def both_bases(self) -> tuple[Treatment, Treatment]:
        """The baseline, and the baseline from random weights, which is followed as that is."""
        return BASELINE, Treatment.of(Traced(), FromScratch(self.scratch_rate))

    def both_repeats(self, number: int) -> tuple[Treatment, Treatment]:
        """The baseline once more from either start: with its batches in another order."""
        return self._from_both(Again(number))

    def _from_both(self, part: Part) -> tuple[Treatment, Treatment]:
        return Treatment.of(part, Traced()), Treatment.of(
            part, Traced(), FromScratch(self.scratch_rate)
        )

    def coded_decay(self) -> Ladder:
        """`decay` with what the published code does beside; it begins with that alone."""
        return tuple((decay, arm + _AS_CODED) for decay, arm in self.decay())

    def alone(self, name: AnAugmentation, how: Alone) -> Treatment:
        """An augmentation by itself: drawn "once"; "anew" in each epoch; anew, but in the strength
        that the paper "described"; or anew, "normalised" in training as in no test.
        """
        match how:
            case "once":
                return Treatment.of(Piled((name,)))
            case "described" if isinstance(name, str):
                return Treatment.of(Augmentation(DESCRIBED.get(name, name)))
            case "normalised":
                return Treatment.of(Augmentation(name), Normalised())
        return Treatment.of(Augmentation(name))

    @property
    def unused(self) -> tuple[Treatment, ...]:
        """The A/A arms of a `piled` study: augmented sets that are made and not used."""
        names = self.augmentations[:A_A_ARMS] if self.piled else ()
        return tuple(Treatment.of(Unused((name,))) for name in names)

    def synthetic(self, share: float, setting: str = "", round: int = 1) -> Treatment:
        """A share of synthetic training examples, from the setting of this name ("": the first).

        They replace real ones. Raises ValueError where the study has no generator.
        """
        return Treatment.of(Synthetic(share, *self.drawn_by(setting), round))

    def anchored(self, share: float, setting: str = "", round: int = 2) -> Treatment:
        """As `synthetic`, from a generator that was retrained with the real examples kept."""
        return Treatment.of(Anchored(share, *self.drawn_by(setting), round))

    def added(self, share: float, setting: str = "") -> Treatment:
        """As `synthetic`, but the examples are added to all real ones."""
        return Treatment.of(Added(share, *self.drawn_by(setting)))

    def filtered(self, share: float, setting: str = "") -> Treatment:
        """As `synthetic`, less those that a filter rejects, which keeps the share `kept`.

        Raises ValueError where the study has no generator, or no `kept`.
        """
        return Treatment.of(Filtered(share, *self.drawn_by(setting), self.kept))

    def blurred(self, share: float = 1.0, setting: str = "") -> Treatment:
        """Real images with no more pixels than the generator's, in place of `synthetic`.

        Raises ValueError where the study has no generator, or one that draws in full size.
        """
        generator, _ = self.drawn_by(setting)
        if not isinstance(generator, SMALL):
            raise ValueError(f"{generator.label} draws no small images, so there is no blur")
        return Treatment.of(Blurred(generator.side, share))

    def mixing(self, setting: str = "") -> Ladder:
        """The ladder of (synthetic share, treatment) from 0 (the baseline) up."""
        shares = self.shares[self.settings.index(self._setting(setting))]
        return ((0.0, BASELINE), *((share, self.synthetic(share, setting)) for share in shares))

    @property
    def draws_small(self) -> bool:
        """Whether there are settings, and all draw images that are enlarged: see `blurred`."""
        drawn = [self.drawn_by(setting.name)[0] for setting in self.settings]
        return bool(drawn) and all(isinstance(generator, SMALL) for generator in drawn)

    def drawn_by(self, setting: str) -> tuple[Generator, Setting]:
        """The generator that the setting of this name ("": the first) draws from, and the setting.

        Raises ValueError where there is none.
        """
        if self.generator is None:
            raise ValueError(f"the study {self.name} has no generator of synthetic examples")
        chosen = self._setting(setting)
        return dict(zip(self.settings, self.generators)).get(chosen, self.generator), chosen

    def _setting(self, name: str) -> Setting:
        for setting in self.settings:
            if name in ("", setting.name):
                return setting
        raise ValueError(f"the study {self.name} has no setting {name!r} of its generator")

    def by_classes(self) -> Ladder:
        """The ladder of (number of classes, treatment), all at an equal number of examples."""
        return tuple((count, Treatment.of(Classes(count))) for count in self.class_counts)

    def by_batch(self) -> Ladder:
        """The ladder of (batch size, treatment), smallest first; the recipe's own size is the
        baseline.
        """
        own = self.recipe.batch if self.recipe else 0
        return tuple(
            (size, BASELINE if size == own else Treatment.of(BatchSize(size)))
            for size in self.batches
        )

    @property
    def very_large(self) -> Treatment:
        return Treatment.of(Dropout(self.very_large_dropout, "head"))

    def combination(self, rate: float, decay: float) -> Treatment:
        return Treatment.of(Dropout(rate), WeightDecay(decay))

    @property
    def no_op(self) -> Treatment:
        return Treatment.of(NoOp())

    @property
    def other_seed(self) -> Treatment:
        return Treatment.of(OtherSeed())

    @property
    def evaluation_dropout(self) -> Treatment:
        """The largest dropout rate at evaluation only.

        Its batches come in another order: otherwise its weights would be the baseline's.
        """
        return Treatment.of(EvaluationDropout(max(self.dropout_rates)), NoOp())

    @property
    def shuffled_labels(self) -> Treatment:
        return Treatment.of(ShuffledLabels())

    @property
    def table_arms(self) -> tuple[Treatment, ...]:
        """The arms of v1's table 2: the baseline, the augmentations, 15 to 35 % synthetic examples
        of the better setting.
        """
        mixed = [self.synthetic(share) for share in TABLE_SHARES] if self.generator else []
        return (BASELINE, *map(self.augmentation, self.augmentations), *mixed)

    @property
    def data_arms(self) -> tuple[Treatment, ...]:
        """All arms whose training data differs: the baseline, the augmentations, the shares of
        every setting.
        """
        return (BASELINE, *map(self.augmentation, self.augmentations), *self._mixed)

    @property
    def _mixed(self) -> list[Treatment]:
        """Every share of every setting of the generator."""
        return [arm for setting in self.settings for _, arm in self.mixing(setting.name)[1:]]

    @property
    def _beside(self) -> list[Treatment]:
        """What the smallest share of v1's table 2 is compared with besides the baseline."""
        share, names = TABLE_SHARES[0], [setting.name for setting in self.settings]
        blurred = [self.blurred(share, name) for name in names if self.draws_small]
        return [*(self.added(share, name) for name in names), *blurred]

    @property
    def _departures(self) -> tuple[Treatment, ...]:
        """What the published code does beside what the paper describes, by itself and together, and
        what piles are compared with.
        """
        names = self.augmentations if self.piled else ()
        alone = (self.alone(name, how) for how in get_args(Alone) for name in names)
        of_piles = (*self.unused, *alone)
        if not self.coded_rates:
            return of_piles
        coded = [arm for ladder in (self.coded_dropout(), self.coded_decay()) for _, arm in ladder]
        at_test = (arm for pair in self.at_test for arm in pair)
        return (*of_piles, *coded, Treatment.of(Rectified()), *at_test)

    @property
    def _other_ways(self) -> list[Treatment]:
        """Synthetic examples filtered in place of real ones, and added to them."""
        mixed = [(share, setting.name) for setting in self.settings for share in MIXED_SHARES]
        ways = (self.filtered, self.added) if self.kept else ()
        return [way(*each) for each in mixed for way in ways]

    @property
    def _from_two_starts(self) -> list[Treatment]:
        if not self.both:
            return []
        repeats = map(self.both_repeats, REPEATS)
        return [arm for pair in (self.both_bases, *repeats, *self.both) for arm in pair]

    @property
    def controls(self) -> tuple[Treatment, ...]:
        if self.fixed_sample:
            return ()
        treated = self.dropout_rates or self.decays or self.augmentations
        optimisation = (*MEMBERS[1:], *self.held_out) if treated else ()
        if not self.dropout_rates:
            return optimisation
        replicates = (self.no_op, self.other_seed)
        return (*replicates, self.evaluation_dropout, self.shuffled_labels, *optimisation)

    @property
    def family(self) -> tuple[Curve, Curve]:
        """The optimisation controls: the curve over learning rates and the one over lengths."""
        return RATE_CURVE, LENGTH_CURVE

    @property
    def held_out(self) -> Curve:
        """Optimisation controls that are in neither curve (`ddiv.study.optimisation`)."""
        return HELD_OUT

    @property
    def arms(self) -> tuple[Treatment, ...]:
        """Every arm of the study, the baseline first, in the order in which tables show them."""
        ladders = [self.dropout(), self.decay(), self.dropout("head"), self.dropout("encoder")]
        doses = [arm for ladder in ladders for _, arm in ladder[1:]]
        very_large = [self.very_large] if self.very_large_dropout else []
        combined = [self.combination(*pair) for pair in self.combinations]
        augmentations = (*self.augmentations, *self.further_augmentations)
        treated = (
            *doses,
            *very_large,
            *combined,
            *map(self.augmentation, augmentations),
            *self._departures,
            *self._mixed,
            *self._beside,
            *self._other_ways,
            *(arm for _, arm in self.by_batch()),
            *(self.augmentation(name) for names in self.gradients for name in names),
            *self._from_two_starts,
        )
        return tuple(dict.fromkeys((BASELINE, *self.controls, *treated)))
