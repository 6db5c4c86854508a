"""The parts of treatments that bring synthetic examples, and the control that only blurs."""

from __future__ import annotations

from ddiv.treatment.generators import Flow, Generator, NGram, Setting
from ddiv.treatment.part import Part


class Synthetic(Part, frozen=True, tag="synthetic"):
    """A `share` in (0, 1] of the training examples, the same in every class, replaced by a
    generator's (v1 section 3.4).

    The number of examples stays. `round` above 1: the generator was retrained on its own samples
    round after round (Alemohammad et al. 2023), the first being trained on the real images.
    """

    share: float
    generator: Generator
    setting: Setting
    round: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share("synthetic", self.share)
        if self.round < 1:
            raise ValueError(f"rounds of a generator count from 1, got {self.round}")
        if self.round > 1 and not isinstance(self.generator, Flow | NGram):
            raise ValueError(
                f"{self.generator.label} is not retrained on its own samples, so it has no round "
                f"{self.round}: take a Flow or an NGram, or leave the study's `rounds` out"
            )

    @property
    def label(self) -> str:
        later = f", round {self.round}" if self.round > 1 else ""
        return f"synthetic {self.share:.0%} ({self.setting.name}{later})"

    @property
    def family(self) -> str:
        return "synthetic"

    @property
    def does_nothing(self) -> bool:
        return self.share == 0


class Anchored(Synthetic, frozen=True, tag="anchored"):
    """As `Synthetic` of a later `round`, but from a generator that was retrained on the real
    examples and its own samples, as many of each, round after round: the real ones stay in the loop
    (Alemohammad et al. 2023).
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.round < 2:
            raise ValueError(
                "in its first round a generator has seen real examples only, so there is nothing "
                f"to keep them beside: rounds count from 2 here, got {self.round}"
            )

    @property
    def label(self) -> str:
        later = f"{self.setting.name}, round {self.round}, real data kept"
        return f"synthetic {self.share:.0%} ({later})"


class Added(Part, frozen=True, tag="added"):
    """Synthetic examples in addition to all real ones, the same share of each class.

    `share` in (0, 1] is that of the number of real examples. Epochs stay, so every real example is
    seen as often as in the baseline, and the steps grow by the share. At equal share the examples
    are those that `Synthetic` takes.
    """

    share: float
    generator: Generator
    setting: Setting

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share("synthetic", self.share)

    @property
    def label(self) -> str:
        return f"{self.share:.0%} synthetic added ({self.setting.name})"

    @property
    def family(self) -> str:
        return "synthetic added"

    @property
    def does_nothing(self) -> bool:
        return self.share == 0


class Filtered(Part, frozen=True, tag="filtered"):
    """As `Synthetic`, but of a pool that a filter has looked through: what it rejects is left out,
    and so is the real example in whose place it would have stood.

    The filter keeps the share `kept` in (0, 1] of each class's synthetic examples: those that lie
    nearest to the class's real training examples, beside those of other classes
    (`ddiv.trial.filtering`). So the training set shrinks by what is rejected; at `kept` 1 it is
    that of `Synthetic`. The published text sets are mixed so, by a filter that is not published.
    """

    share: float
    generator: Generator
    setting: Setting
    kept: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _require_share("synthetic", self.share)
        if not 0 < self.kept <= 1:
            raise ValueError(f"a filter keeps a share in (0, 1] of a pool, got {self.kept}")

    @property
    def label(self) -> str:
        return f"synthetic {self.share:.0%}, {self.kept:.0%} kept ({self.setting.name})"

    @property
    def family(self) -> str:
        return "synthetic, filtered"

    @property
    def does_nothing(self) -> bool:
        return self.share == 0


# A treatment mixes synthetic examples in one of these ways (`Anchored` is a `Synthetic`).
MIXES = (Synthetic, Added, Filtered)


class Blurred(Part, frozen=True, tag="blurred"):
    """A `share` in (0, 1] of the real images brought down to `side` pixels and up again.

    A generator that draws so few pixels blurs: this arm tells what blur alone does from what
    synthesis does. At equal share the images are those that `Synthetic` replaces.
    """

    side: int
    share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "side")
        _require_share("blurred", self.share)

    @property
    def label(self) -> str:
        return f"real, {self.share:.0%} blurred to {self.side} pixels"

    @property
    def family(self) -> str:
        return "blurred"

    @property
    def does_nothing(self) -> bool:
        return self.share == 0


def _require_share(what: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {what} examples lies in [0, 1], got {share}")
