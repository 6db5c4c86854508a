r"""Studies of real images on a CPU: PACS and CIFAR-10.

    pytest claims --study benchmarks/real_images_study.py --data-root FOLDER -n 2 \
        -k "dropout or weight_decay or augmentation"

Of PACS, photos are trained on; paintings, cartoons and sketches are out of distribution. FOLDER
holds pacs96/DOMAIN/CLASS/*.jpg, and a prefix of CIFAR-10 as cifar10-lossless-subset.npz. The models
are the embedded profile's: the small CLIP that ddiv ships, and a ResNet-18 at a quarter of its
width from scratch.
"""

from ddiv.models.shipped import embedded_weights
from ddiv.study import Arrays, Clip, Images, Recipe, ResNet18, Study

PACS = Images(
    "pacs96",
    domains=("photo", "art_painting", "cartoon", "sketch"),
    side=32,
    per_class=80,
    test_per_class=40,
)
CIFAR = Arrays(
    "5063696ad1de21fabc2e3dd2d61d7b6384f4c10617fff2eb306563563bf572a6",
    per_class=60,
    test_per_class=60,
)
CLIP, RESNET = Clip(embedded_weights()), ResNet18(width=16, stem_stride=2)
ARMS = {
    "decays": (1e-3, 1e-2),
    "augmentations": ("auto", "rand", "noise30"),
    "view_size": 500,
    "embedders": (CLIP,),
}
RESNET_TITLE = "ResNet-18 at a quarter of its width, from scratch"

STUDIES = tuple(
    Study(
        name=f"{model}-{data_name}",
        title=f"{title} on {data_title}",
        data=data,
        domains=data.test_domains,
        backbone=backbone,
        recipe=Recipe(epochs=10, batch=32, lr=lr, head_lr=head_lr),
        dropout_rates=rates,
        single_placement_rates=rates[-1:],
        **ARMS,
    )
    for data_name, data_title, data in (
        ("pacs", "PACS", PACS),
        ("cifar10", "a part of CIFAR-10", CIFAR),
    )
    for model, title, backbone, lr, head_lr, rates in (
        ("clip", "Small CLIP (ViT), fine-tuned", CLIP, 1e-3, 1e-2, (0.1, 0.2)),
        ("resnet18", RESNET_TITLE, RESNET, 2e-3, None, (0.05, 0.1)),
    )
)
