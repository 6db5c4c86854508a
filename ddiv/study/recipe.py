"""How a trial is trained."""

from __future__ import annotations

from ddiv.common.values import Value


class Recipe(Value, frozen=True):
    """How a trial is trained: cross-entropy, Adam (SGD where `momentum` is given), and a learning
    rate that falls to 0 as a cosine.

    `head_lr` is the learning rate of the classification layer where it is not `lr`: a random layer
    on a small pre-trained encoder needs a larger one, or the encoder forgets before the layer has
    learned. `checkpoints` are the epochs (fractions allowed) at which the baseline is measured
    besides, and every arm that is traced (`ddiv.treatment.Traced`): its trajectory, which costs an
    evaluation each.
    """

    epochs: int
    batch: int
    lr: float
    checkpoints: tuple[float, ...] = ()
    head_lr: float | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs < 1 or self.batch < 1:
            raise ValueError(
                "a recipe has 1 epoch or more, of batches of 1 or more, got "
                f"{self.epochs} and {self.batch}"
            )
        head_lr = self.lr if self.head_lr is None else self.head_lr
        if not (self.lr > 0 and head_lr > 0):
            raise ValueError(
                f"a learning rate is above 0, got lr={self.lr}, head_lr={self.head_lr}"
            )
        if self.momentum is not None and not 0 <= self.momentum < 1:
            raise ValueError(f"a momentum lies in [0, 1), or is None for Adam, got {self.momentum}")
        if outside := [epoch for epoch in self.checkpoints if not 0 <= epoch <= self.epochs]:
            raise ValueError(
                f"checkpoints lie between 0 and the {self.epochs} epochs, got {outside[0]:g}"
            )
