"""The paper's own studies (v1 section 3 and appendix, v2).

Sizes, doses and hyper-parameters are the paper's where it tells them. It trains the classification
layer and the image encoder for 5 epochs at a learning rate of 1e-5 and a batch of 32. Choices that
it does not tell are marked below.
"""

from __future__ import annotations

import msgspec

from ddiv.profiles.studies import KEPT, OF_TEXTS_ONCE, TENTHS
from ddiv.study import (
    Bert,
    Complaints,
    DomainNet,
    OpenClip,
    Published,
    Recipe,
    ResNet18,
    Study,
    Tweets,
)
from ddiv.treatment import OpenAI, Setting, StableDiffusion
from ddiv.treatment.names import AUGMENTATIONS, EXTREME

CLIP = {"vit-b32": OpenClip("ViT-B-32", "openai"), "rn50": OpenClip("RN50", "openai")}

TITLES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenette": "Imagenette",
    "flowers102": "Flowers102",
    "stanford-cars": "Stanford Cars",
    "domainnet": "DomainNet (real)",
}

RATES, DECAYS = (0.1, 0.3, 0.5, 0.7), (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3)

SHARES = (0.15, 0.25, 0.35)

FINE_TUNED = Recipe(epochs=5, batch=32, lr=1e-5)

# Not in the paper: how many images are scored.
VIEW = 1000


def studies() -> tuple[Study, ...]:
    """All studies of the paper.

    CLIP's two towers on six datasets, synthetic images on DomainNet, a ResNet-18 from scratch, and
    BERT on complaints: tweets, as the texts published with the paper are, and as a second set those
    of the CFPB.
    """
    # "Because of limitations of computing resources, CIFAR-10/100 and DomainNet(Real) refer to a
    # subset that samples 5000 images" with the ResNet (figure 6). Of DomainNet's tests at most 40
    # images a class are used (not in the paper: 28,000 in all).
    rest = (Published("imagenette"), Published("flowers102"), Published("stanford-cars"))
    whole = (Published("cifar10"), Published("cifar100"), *rest, DomainNet(test_per_class=40))
    small = (
        Published("cifar10", per_class=500),
        Published("cifar100", per_class=50),
        *rest,
        DomainNet(train=5000, test_per_class=40),
    )
    return (
        *(_fine_tuned("vit-b32", data) for data in whole),
        *(_fine_tuned("rn50", data) for data in small),
        _synthetic_images(),
        _from_scratch(),
        _tweets(),
        _complaints(),
    )


def _fine_tuned(tower: str, data: Published | DomainNet) -> Study:
    name: str
    if isinstance(data, Published):
        name, is_subset = data.name, data.per_class > 0
    else:
        name, is_subset = "domainnet", data.train == 5000
    images = ", 5,000 images" if is_subset else ""
    return Study(
        name=f"clip-{tower}-{name}",
        title=f"CLIP {CLIP[tower].model}, fine-tuned on {TITLES[name]}{images}",
        data=data,
        backbone=CLIP[tower],
        recipe=FINE_TUNED,
        domains=data.test_domains,
        dropout_rates=RATES,
        single_placement_rates=(0.5,),
        decays=DECAYS,
        very_large_dropout=0.9,
        combinations=((0.1, 1e-5), (0.1, 5e-3), (0.5, 1e-5), (0.5, 5e-3)),
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        view_size=VIEW,
        embedders=(CLIP["vit-b32"],),
    )


def _synthetic_images() -> Study:
    """Table 2, on the small subset of DomainNet.

    Every seed has images of its own from Stable Diffusion, 5,000 of them, so the whole set would
    cost too much.
    """
    return msgspec.structs.replace(
        _fine_tuned("vit-b32", DomainNet(train=5000, test_per_class=40)),
        name="clip-vit-b32-domainnet-synthetic",
        title="CLIP ViT-B-32, fine-tuned on 5,000 images of DomainNet (real), some of them from "
        "Stable Diffusion v1-5",
        generator=StableDiffusion(),
        settings=(Setting("v1-5", guidance=7.5),),
        shares=(SHARES,),
        # As few images as the smallest class has.
        class_counts=(2, 5, 10, 20, 50, 100, 142),
        class_view_size=70,
        dropout_rates=(),
        single_placement_rates=(),
        decays=(),
        very_large_dropout=0.0,
        combinations=(),
    )


def _from_scratch() -> Study:
    """A ResNet-18. The paper's text tells no hyper-parameters or doses: these are usual ones."""
    return Study(
        name="resnet18-cifar10",
        title="ResNet-18 from scratch on CIFAR-10",
        data=Published("cifar10", side=32),
        backbone=ResNet18(width=64, stem_stride=1),
        domains=("cifar10",),
        recipe=Recipe(epochs=30, batch=128, lr=1e-3),
        dropout_rates=(0.1, 0.2, 0.3),
        single_placement_rates=(0.2,),
        decays=DECAYS,
        augmentations=AUGMENTATIONS,
        extreme_augmentations=EXTREME,
        view_size=VIEW,
        embedders=(CLIP["vit-b32"],),
    )


def _tweets() -> Study:
    """The part of v2 on language, on what its "Complaints dataset" is by the published files: short
    tweets, each a complaint or not.

    Doses, edits and shares are the published ones, the texts' generator is v2's. Learning rate and
    epochs are usual ones for BERT: neither paper nor code tells them. With two outputs the
    classification layer has two eigenvalues, so no exponent of it is believed. 690 test texts tell
    differences in accuracy of about .04 at one seed.
    """
    bert = Bert("bert-base-uncased")
    return Study(
        name="bert-complaint-tweets",
        title="BERT base, fine-tuned on tweets, each a complaint or not",
        data=Tweets(""),
        backbone=bert,
        domains=("complaints",),
        recipe=Recipe(epochs=4, batch=32, lr=5e-5),
        dropout_rates=RATES,
        single_placement_rates=(0.5,),
        decays=DECAYS,
        augmentations=OF_TEXTS_ONCE,
        generator=OpenAI(kind="short tweets to companies, each a complaint or not"),
        settings=(Setting("additional"),),
        shares=((0.1, 0.3, 0.5, 0.7, 0.9, 1.0),),
        kept=KEPT,
        coded_rates=RATES,
        view_size=VIEW,
        embedders=(bert,),
    )


def _complaints() -> Study:
    """The same on a second set of complaints: long ones, of many classes.

    The classes are products and issues. Sizes and hyper-parameters are usual ones for BERT.
    """
    bert = Bert("bert-base-uncased", max_tokens=256)
    return Study(
        name="bert-complaints",
        title="BERT base, fine-tuned on the CFPB's consumer complaints",
        data=Complaints(
            "",
            label=("product", "issue"),
            per_class=100,
            min_per_class=134,
            rare="drop",
            max_words=250,
        ),
        backbone=bert,
        domains=("complaints",),
        recipe=Recipe(epochs=4, batch=32, lr=5e-5),
        dropout_rates=RATES,
        single_placement_rates=(0.5,),
        decays=DECAYS,
        augmentations=("synonym10", "insertion10", "swap10", "deletion10", "eda10", "eda30"),
        generator=OpenAI(),
        settings=(Setting("variations", variant="variations"), Setting("additional")),
        shares=(TENTHS, TENTHS),
        view_size=VIEW,
        embedders=(bert,),
    )
