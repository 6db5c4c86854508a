r"""A study from scratch at full size, for a GPU: ResNet-18 on a part of CIFAR-10.

    pytest claims --study benchmarks/cifar_study.py --data-root FOLDER --device cuda -n 8 \
        -k "dropout or weight_decay or augmentation"

FOLDER holds a prefix of CIFAR-10 as cifar10-lossless-subset.npz. The network has its full width of
64 and keeps the full resolution. The doses follow from the rules of the embedded studies
(docs/explanation/studies.md): the network still learns its training set, and the largest dose
visibly acts.
"""

from ddiv.models.shipped import embedded_weights
from ddiv.study import Arrays, Clip, Recipe, ResNet18, Study

CIFAR = Arrays("5063696ad1de21fabc2e3dd2d61d7b6384f4c10617fff2eb306563563bf572a6")

STUDIES = (
    Study(
        name="resnet18-cifar10",
        title="ResNet-18 at its full width, from scratch on a part of CIFAR-10",
        data=CIFAR,
        domains=CIFAR.test_domains,
        backbone=ResNet18(),
        recipe=Recipe(epochs=15, batch=128, lr=1e-3),
        dropout_rates=(0.05, 0.1, 0.2),
        single_placement_rates=(0.2,),
        decays=(1e-3, 1e-2),
        augmentations=("auto", "rand", "noise30"),
        extreme_augmentations=("noise30",),
        view_size=1000,
        embedders=(Clip(embedded_weights()),),
    ),
)
