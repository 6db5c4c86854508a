"""How augmentation moves representations: trajectories in the space of their shapes.

"How data augmentation shapes neural representations" (arXiv): "increasing augmentation strength
leads to well-behaved trajectories in this space", "different augmentation types steer
representations in distinct directions", "insights from neural geometry can predict which
representations provide the most improvement when ensembling models".

The paper's words are read so (`fixtures.trajectories`): a path is well behaved where it is
straighter than the same networks in other orders of strength; directions are distinct where those
of two kinds are farther apart than two of one kind, both from two initialisations; distance
predicts where it goes with an ensemble's gain, given what its members' accuracies tell.
"""

from functools import partial

from ddiv.claim import Compared, Graded, Measured, Place, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having, network_of
from fixtures.trajectories import KINDS, PATHS, PLACES, PLAIN, STRENGTHS, trajectories

PAPER = "How data augmentation shapes neural representations, abstract"


def number(study: Study, name: str) -> Number:
    """A number of the study's networks: ResNets or perceptrons."""
    return trajectories(name, network=network_of(study))


# Of studies in which trajectories are computed.
trajectory = partial(claim, source=PAPER, needs="experiments", on=having("trajectories"))


def plane(study: Study) -> tuple[Place, ...]:
    """All networks in the plane of shapes, each kind's path from the baseline on."""

    def place(arm: str, kind: str, label: str) -> Place:
        return Place(label, kind, number(study, f"x_{arm}"), number(study, f"y_{arm}"))

    return tuple(
        place(PLACES[arm], kind, f"{kind} {arm.strength}" if arm.strength else "")
        for kind in KINDS
        for arm in (PLAIN, *PATHS[kind])
    )


@trajectory(
    "aug-trajectories",
    "Growing strength of an augmentation moves representations along a straighter path than its "
    "strengths in another order.",
)
@each(kind=KINDS)
@each(form="straight")
def test_growing_strength_makes_a_straight_path(study: Study, form: str, kind: str) -> Question:
    return Measured(number(study, f"straight_{kind}"), RISES, plane=plane(study))


@trajectory(
    "aug-trajectories",
    "The stronger an augmentation, the farther representations move from the baseline's.",
)
@each(kind=KINDS)
@each(form="away")
def test_stronger_augmentation_moves_farther(study: Study, form: str, kind: str) -> Question:
    doses = tuple((float(at), number(study, f"away_{kind}_{at}")) for at in STRENGTHS)
    return Graded(doses, RISES, along="strength")


@trajectory(
    "aug-trajectories",
    "Directions of different kinds of augmentation are farther apart than those of one kind from "
    "two initialisations.",
)
@called("directions, two initialisations")
def test_kinds_steer_their_own_ways(study: Study, called: str) -> Question:
    pair = number(study, "between_kinds"), number(study, "between_inits")
    return Compared(*pair, RISES)


@trajectory(
    "aug-trajectories",
    "Directions of different kinds of augmentation are farther apart than those of two draws of "
    "one kind, from one initialisation.",
)
@called("directions, one initialisation")
def test_kinds_steer_their_own_ways_from_one_place(study: Study, called: str) -> Question:
    pair = number(study, "between_kinds_here"), number(study, "between_draws")
    return Compared(*pair, RISES)


@trajectory(
    "aug-trajectories",
    "The farther apart two representations are, the more the ensemble of their networks gains, "
    "given its members' accuracies.",
)
@called("ensembles")
def test_distance_predicts_the_gain_of_ensembles(study: Study, called: str) -> Question:
    return Measured(number(study, "gain_by_distance"), RISES)


# --- what shows that it can be found ------------------------------------------------------------


@trajectory(
    "aug-trajectories",
    "Training itself moves representations along a straighter path than its epochs in another "
    "order.",
    source="ours: it shows that a straight path is not missed",
)
@called("training")
def test_training_makes_a_straight_path(study: Study, called: str) -> Question:
    return Measured(number(study, "straight_training"), RISES)


@trajectory(
    "aug-trajectories",
    "The more often two networks disagree, the more their ensemble gains, given its members' "
    "accuracies.",
    source="ours: it shows that what predicts gains is not missed",
)
@called("disagreement")
def test_disagreement_predicts_the_gain_of_ensembles(study: Study, called: str) -> Question:
    return Measured(number(study, "gain_by_disagreement"), RISES)


# --- controls -----------------------------------------------------------------------------------


@trajectory(
    "control-trajectories",
    "Strengths in a random order make a straighter path than in the others.",
    source="ours: a negative control",
    guards="trajectories",
)
@each(kind=KINDS)
def test_a_random_order_is_not_straight(study: Study, kind: str) -> Question:
    return Measured(number(study, f"permuted_{kind}"), RISES)


@trajectory(
    "control-trajectories",
    "Directions of kinds that differ by permuted names are farther apart than those of equal ones.",
    source="ours: a negative control",
    guards="trajectories",
)
@called("names permuted")
def test_permuted_names_steer_no_ways(study: Study, called: str) -> Question:
    pair = number(study, "between_renamed"), number(study, "within_renamed")
    return Compared(*pair, RISES)


@trajectory(
    "control-trajectories",
    "The distance of two other networks predicts the gain of an ensemble.",
    source="ours: a negative control",
    guards="trajectories",
)
@called("distances permuted")
def test_other_distances_predict_nothing(study: Study, called: str) -> Question:
    return Measured(number(study, "gain_by_permuted"), RISES)
