"""Studies of experiments on scikit-learn's digits, which claims of neighbouring papers are put to.

Those of `embedded` train perceptrons on 8 x 8 pixels, some hundred times cheaper than the narrow
ResNet-18s on 16 x 16 pixels of `full`; what is said of the former need not hold of the latter.
"""

from __future__ import annotations

from ddiv.study import Digits, Study


def digits_shapes() -> Study:
    """Perceptrons under augmentation of growing strength, as points of the space of shapes."""
    return Study(
        name="digits-shapes",
        title="Shapes of representations: perceptrons on digits, under augmentation",
        data=Digits(train=500, side=8),
        experiments=("trajectories",),
    )


def digits_shapes_resnet() -> Study:
    """The same of ResNets."""
    return Study(
        name="digits-shapes-resnet",
        title="Shapes of representations: narrow ResNet-18s on digits, under augmentation",
        data=Digits(train=500, side=16),
        experiments=("trajectories", "resnet"),
    )


def few_digits() -> Study:
    """A few digits, which a generator that knows more of them expands and edits."""
    return Study(
        name="few-digits",
        title="150 digits, expanded and edited by a small generator: perceptrons",
        data=Digits(train=150, side=8),
        experiments=("guided expansion", "filtered edits"),
    )


def few_digits_resnet() -> Study:
    """The same with ResNets in place of perceptrons."""
    return Study(
        name="few-digits-resnet",
        title="150 digits, expanded and edited by a small generator: narrow ResNet-18s",
        data=Digits(train=150, side=16),
        experiments=("guided expansion", "filtered edits", "resnet"),
    )
