"""What Cutout and CutMix learn that training without augmentation does not.

"Provable Benefit of Cutout and CutMix for Feature Learning" (NeurIPS), on data of features of
different rarity and noises of different strength: "Cutout training can learn low-frequency features
that vanilla training cannot, while CutMix training can learn even rarer features that Cutout cannot
capture. From this, we establish that CutMix yields the highest test accuracy among the three. ...
CutMix training makes the network learn all features and noise vectors evenly regardless of the
rarity and strength".

A replicate draws training examples, initial weights and tests anew (`fixtures.feature_noise`, which
says what is theirs and what our choice). CutMix, the slowest, comes to rest within the steps of the
whole size; within those of the small one its accuracy on the rarest features still rises.
"""

from functools import partial

from ddiv.claim import All, Compared, Measured, Panel, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import FALLS, RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having, sizes
from fixtures.feature_noise import METHODS, POINTS, SIZES, learned

GROUP = "feature noise"
# Half-way from a guess to what is known.
NOT_LEARNED = 0.75
# Of contributions to the right label: the smallest is at least half of the largest.
EVEN = 0.5
# A factor of the deviations of noises, which then hide no feature.
FAINT = 0.2

each_size = each(size=lambda study: sizes(study, GROUP))


# Of studies with feature-noise data.
feature_noise = partial(
    claim, source="Cutout and CutMix, abstract", needs="experiments", on=having(GROUP)
)


def of(method: str, size: str, number: str) -> Number:
    return learned(number, method=method, size=size)


def course(number: str, size: str) -> Panel:
    steps = SIZES[size].steps
    places = range(1, POINTS + 1)
    return Panel(
        "step",
        tuple(steps * i / POINTS for i in places),
        tuple(
            (method, tuple(of(method, size, f"{number}_{i}") for i in places)) for method in METHODS
        ),
    )


@feature_noise(
    "cutmix-order",
    "A method learns rarer features than another: Cutout rare ones that training without "
    "augmentation does not, CutMix the rarest that Cutout does not.",
)
@each_size
@each(features=("rare", "rarest"))
def test_rarer_features_are_learned(study: Study, features: str, size: str) -> Question:
    better, other = ("cutout", "vanilla") if features == "rare" else ("cutmix", "cutout")
    return Compared(
        of(better, size, features), of(other, size, features), RISES, shown=course(features, size)
    )


@feature_noise(
    "cutmix-order",
    "Without augmentation rare features are not learned, and with Cutout the rarest are not: "
    f"accuracy on them is below {NOT_LEARNED:g}.",
)
@each_size
@each(features=("rare", "rarest"))
@each(form="not learned")
def test_what_is_not_learned(study: Study, form: str, features: str, size: str) -> Question:
    method = "vanilla" if features == "rare" else "cutout"
    return Measured(of(method, size, features), FALLS, NOT_LEARNED)


@feature_noise(
    "cutmix-order", "Test accuracy is highest with CutMix, then with Cutout, then without both."
)
@each_size
@called("overall")
def test_accuracy_is_ordered(study: Study, called: str, size: str) -> Question:
    pairs = (("cutout", "vanilla"), ("cutmix", "cutout"))
    return All(
        tuple(
            Compared(
                of(better, size, "overall"),
                of(other, size, "overall"),
                RISES,
                shown=course("overall", size),
            )
            for better, other in pairs
        )
    )


@feature_noise("cutmix-order", "CutMix learns features and noises more evenly than the others do.")
@each_size
@each(other=("vanilla", "cutout"))
def test_cutmix_learns_more_evenly(study: Study, other: str, size: str) -> Question:
    return Compared(of("cutmix", size, "even"), of(other, size, "even"), RISES)


@feature_noise(
    "cutmix-order",
    "CutMix learns all features and noises evenly: the smallest mean contribution to the right "
    f"label is at least {EVEN:g} of the largest.",
)
@each_size
@called("evenly")
def test_cutmix_learns_evenly(study: Study, called: str, size: str) -> Question:
    return Measured(of("cutmix", size, "even"), RISES, EVEN)


# --- controls -----------------------------------------------------------------------------------


@feature_noise(
    "cutmix-order",
    "Under faint noise the rarest features are learned without augmentation.",
    source="ours: it shows that there are enough examples of them",
)
@each_size
@called("faint noise")
def test_faint_noise_hides_nothing(study: Study, called: str, size: str) -> Question:
    number = learned("rarest", method="vanilla", size=size, noise=FAINT)
    return Measured(number, RISES, 0.9)


@feature_noise(
    "control-cutmix",
    "Other initial weights learn rare features that the first do not.",
    source="ours: a negative control",
    guards="cutmix",
)
@each_size
@called("other weights")
def test_other_weights_learn_no_more(study: Study, called: str, size: str) -> Question:
    other = learned("rare", method="vanilla", size=size, start="other")
    return Compared(other, of("vanilla", size, "rare"), RISES)
