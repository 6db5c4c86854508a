"""Augmentation, label classes and the diversity of the training set (v1 sections 2.1.2 and 3.4,
figure 1).

"Commonly used image augmentation methods typically increase input data diversity. Some methods
(e.g., Auto-v3) increase the diversity score at a larger rate than others. Additionally, we observe
that as the number of label classes increases, the diversity score initially increases but then
exhibits a drop afterward. ... We also observe that pixel-wise diversity scores do not always match
embedding-wise scores after applying data augmentation." 3.4: "on DomainNet, data augmentation can
increase the diversity score at the pixel level but fails at the embedding level." Nothing is
trained here: the Vendi Score is read off the examples that a treatment shows, at equal n.
"""

from ddiv.claim import All, Contrast, Disagreement, Largest, Question, RiseThenFall
from ddiv.claim.declare import claim, each_space
from ddiv.evidence import FALLS, RISES
from ddiv.outcome import Vendi
from ddiv.study import Space, Study
from ddiv.treatment import OtherSeed
from fixtures.arms import augmented

# As the text has it, and as the published code has it.
AUTO_V3 = ("auto-v3", "auto-v3-coded")


@claim(
    "vendi-aug-pixel",
    "Augmentation raises the pixel Vendi Score.",
    source="v1 2.1.2, figure 1",
    needs=("augmentations", "class_counts"),
    each={"augmentation": lambda study: study.augmentations},
)
def test_augmentation_raises_pixel_diversity(study: Study, augmentation: str) -> Question:
    return Contrast(Vendi("pixel"), (study.augmentation(augmentation),), RISES)


@claim(
    "vendi-aug-embedding",
    "Augmentation raises the Vendi Score of embeddings.",
    source="v1 2.1.2, figure 1",
    needs=("augmentations", "class_counts"),
    each={"augmentation": lambda study: study.augmentations},
)
def test_augmentation_raises_embedding_diversity(study: Study, augmentation: str) -> Question:
    return Contrast(Vendi("embedding"), (study.augmentation(augmentation),), RISES)


@claim(
    "vendi-strongest",
    "auto-v3 raises the Vendi Score most of all augmentations (the paper: more than others).",
    source="v1 2.1.2",
    needs=("augmentations", "class_counts"),
    on=lambda study: any(name in AUTO_V3 for name in study.augmentations),
)
@each_space
def test_auto_v3_is_most_diverse(study: Study, space: Space) -> Question:
    strongest = next(name for name in study.augmentations if name in AUTO_V3)
    others = tuple(study.augmentation(name) for name in study.augmentations if name != strongest)
    return Largest(Vendi(space), study.augmentation(strongest), others)


@claim(
    "vendi-classes",
    "With more label classes, at an equal number of examples, the Vendi Score first rises, then "
    "falls.",
    source="v1 2.1.2, figure 1",
    needs=("class_counts", "view_size"),
)
@each_space
def test_diversity_rises_then_falls_with_classes(study: Study, space: Space) -> Question:
    return RiseThenFall(Vendi(space), study.by_classes())


@claim(
    "vendi-disagree",
    "Pixel and embedding Vendi Scores do not always agree over augmentations: their rank "
    "correlation is below that of either with itself on another draw of the same augmentations.",
    source="v1 2.1.2",
    needs=("augmentations", "class_counts"),
    somewhere=True,
)
def test_pixel_and_embedding_diversity_disagree(study: Study) -> Question:
    """That a correlation is below 1 says nothing: no two draws rank augmentations quite alike."""
    arms = augmented(study)
    again = tuple(arm + OtherSeed() for arm in arms)
    return Disagreement(Vendi("pixel"), Vendi("embedding"), arms, again)


@claim(
    "vendi-domain",
    "On the data of several domains augmentation raises pixel diversity but not embedding "
    "diversity (means over augmentations), as the paper has it of DomainNet, not of CIFAR-10.",
    source="v1 3.4",
    needs=("augmentations", "class_counts"),
    on=lambda study: bool(study.ood_domains),
)
def test_only_pixel_diversity_rises_on_data_of_several_domains(study: Study) -> Question:
    arms = augmented(study)
    return All((Contrast(Vendi("pixel"), arms, RISES), Contrast(Vendi("embedding"), arms, FALLS)))
