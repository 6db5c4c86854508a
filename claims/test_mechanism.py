"""The mechanism that v2 gives for its observations, in closed form, and random-feature regression.

v2, mechanism 1: "data augmentation that injects new variance into the data inflates the eigenvalue
spectrum {λi}, which in turn reduces all inverse eigenvalues {λ−1 i}", under the assumption that
"the projection coefficients of the target onto the eigen-directions of the data covariance are
uncorrelated with the eigenvalues"; "if the assumption about uncorrelated projections fails, the
regularization effect would not be as strong or predictable". Mechanism 2: "weight decay replaces
the inverse eigenvalues with (Λ + αI)−1, while dropout replaces them with (Λ + (1−p) Γ2I)−1. Both
shrink the weight norm".

Random features (arXiv, "Characterizing the generalization error of random feature regression with
arbitrary data-augmentation"): "the interpretation of additive Gaussian noise as a form of explicit
(ridge-like) regularization", and a characterisation of the test error by the augmentation's
conditional mean and covariance.

Everything is computed: linear models on pictures of the image world and on Gaussian data
(`fixtures.linear_models`, `fixtures.random_features`). A replicate draws data, targets, noise and
masks anew. Where v2's formula and the algebra differ, both are asked: v2 is known to us by a
summary, and its symbols are read as the docstrings of the experiments say. The margins are ours,
fixed before the claims' seeds were looked at.
"""

from functools import partial

import pytest

from ddiv.claim import All, Everywhere, Graded, Measured, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import FALLS, RISES
from ddiv.study import Number, Study
from fixtures.arms import called, having
from fixtures.linear_models import (
    COUNTS,
    INFLATING,
    broken,
    decayed,
    dropped,
    inflation,
    noise_adds,
    projections,
    shrinkage,
)
from fixtures.random_features import FEATURES, noisy_features, noisy_inputs

# Of a solution: "equal" is within a fiftieth of what the regulariser does.
EQUAL = 0.02
# Of a correlation over 64 eigenvalues, whose deviation under chance is 1/8.
UNCORRELATED = 0.3
# Of a test error, away from the peak.
PREDICTED, SURROGATE = 0.05, 0.03

each_space = each(space=("pixels", "features"))


# Of studies in which closed forms are computed.
mechanism = partial(claim, source="v2, mechanism 1", needs="experiments", on=having("closed forms"))


def near_zero(number: Number, margin: float) -> All:
    return All((Measured(number, FALLS, margin), Measured(number, RISES, -margin)))


# --- the covariance -----------------------------------------------------------------------------


@mechanism("cov-inflates", "Augmentation inflates the eigenvalues of the covariance, on average.")
@each(augmentation=INFLATING)
@each_space
@called("mean")
def test_augmentation_inflates_the_mean_eigenvalue(
    study: Study, called: str, space: str, augmentation: str
) -> Question:
    return Measured(inflation("mean", augmentation=augmentation, space=space), RISES)


@mechanism("cov-inflates", "Augmentation inflates every eigenvalue of the covariance.")
@each(augmentation=INFLATING)
@each_space
@called("every")
def test_augmentation_inflates_every_eigenvalue(
    study: Study, called: str, space: str, augmentation: str
) -> Question:
    """As v2's words have it: all inverse eigenvalues are reduced."""
    return Measured(inflation("smallest", augmentation=augmentation, space=space), RISES)


@mechanism("cov-inflates", "Augmentation inflates the eigenvalues of X'X / n, on average.")
@each(augmentation=INFLATING)
@each_space
@called("moment")
def test_augmentation_inflates_the_mean_eigenvalue_of_the_moment(
    study: Study, called: str, space: str, augmentation: str
) -> Question:
    return Measured(inflation("mean_of_moment", augmentation=augmentation, space=space), RISES)


@mechanism(
    "cov-inflates",
    f"Noise that nothing clips adds its variance to the eigenvalues (mean log within {EQUAL:g}).",
    source="ours",
)
@called("noise adds its variance")
def test_noise_adds_its_variance(study: Study, called: str) -> Question:
    return Measured(noise_adds("error"), FALLS, EQUAL)


# --- the norm of least squares ------------------------------------------------------------------


@mechanism("linear-norm-shrinks", "Augmentation shrinks the least-squares solution.")
@each(augmentation=("noise30", "contrast", "auto"), count=COUNTS)
def test_augmentation_shrinks_least_squares(
    study: Study, augmentation: str, count: int
) -> Question:
    """At this number of images, of 64 pixels each, in four augmented copies."""
    return Measured(shrinkage(f"n{count}", augmentation=augmentation), FALLS)


@mechanism(
    "linear-norm-shrinks",
    "Augmentation shrinks the least-squares solution, whatever the number of images.",
)
@each(augmentation=("noise30", "contrast", "auto"))
@called("everywhere")
def test_augmentation_shrinks_least_squares_everywhere(
    study: Study, called: str, augmentation: str
) -> Question:
    ladder = tuple((n / 64, shrinkage(f"n{n}", augmentation=augmentation)) for n in COUNTS)
    return Everywhere(ladder, FALLS, along="images per pixel")


# --- weight decay and dropout -------------------------------------------------------------------

SECOND = "v2, mechanism 2"


@mechanism(
    "ridge-form",
    "A linear head trained under weight decay is (X'X + n wd I)^-1 X'y: n times the decay stands "
    "beside the eigenvalues of X'X, as half the mean squared residual is trained.",
    source=SECOND,
)
@each(solver=("gd", "sgd", "adam"))
@called("algebra")
def test_weight_decay_is_ridge(study: Study, called: str, solver: str) -> Question:
    return Measured(decayed("algebra", solver=solver), FALLS, EQUAL)


@mechanism(
    "ridge-form",
    "A linear head trained under weight decay is (X'X + wd I)^-1 X'y: the decay itself stands "
    "beside the eigenvalues of X'X, as the formula reads where alpha is the optimiser's decay.",
    source=SECOND,
)
@each(solver=("gd", "sgd", "adam"))
@called("as written")
def test_weight_decay_is_ridge_as_written(study: Study, called: str, solver: str) -> Question:
    return Measured(decayed("v2", solver=solver), FALLS, EQUAL)


@mechanism(
    "dropout-form",
    "A linear head trained under inverted dropout at rate q is (X'X + q/(1-q) diag X'X)^-1 X'y.",
    source=SECOND,
)
@each(rate=(0.1, 0.5), columns=("as they are", "unit"))
@each(form="algebra")
def test_dropout_is_a_penalty(study: Study, form: str, rate: float, columns: str) -> Question:
    return Measured(dropped("exact", rate=rate, columns=columns), FALLS, EQUAL)


@mechanism(
    "dropout-form",
    "A linear head trained under inverted dropout at rate q = 1 - p is V (Λ + (1-p) Γ²)^-1 V'X'y.",
    source=SECOND,
)
@each(rate=(0.1, 0.5), columns=("as they are", "unit"))
@each(form="as written")
def test_dropout_is_a_penalty_as_written(
    study: Study, form: str, rate: float, columns: str
) -> Question:
    return Measured(dropped("v2", rate=rate, columns=columns), FALLS, EQUAL)


@mechanism(
    "dropout-form",
    "The same with (1-p)/p in place of (1-p): what is left is that Γ² stands beside the "
    "eigenvalues and not in the inputs' own basis.",
    source="ours",
)
@each(rate=(0.1, 0.5), columns=("as they are", "unit"))
@each(form="scaled")
def test_dropout_is_a_scaled_penalty(
    study: Study, form: str, rate: float, columns: str
) -> Question:
    return Measured(dropped("v2_scaled", rate=rate, columns=columns), FALLS, EQUAL)


# --- the assumption -----------------------------------------------------------------------------


@mechanism(
    "projection-uncorrelated",
    "Squared projections of the target on the left singular vectors of the data are uncorrelated "
    f"with the eigenvalues (Spearman within {UNCORRELATED:g}).",
)
@each(target=("classes", "isotropic"))
@each_space
@called("of the target")
def test_projections_of_the_target(study: Study, called: str, space: str, target: str) -> Question:
    return near_zero(projections("of_targets", target=target, space=space), UNCORRELATED)


@mechanism(
    "projection-uncorrelated",
    "Squared projections of the least-squares solution on the eigenvectors of the covariance are "
    f"uncorrelated with the eigenvalues (Spearman within {UNCORRELATED:g}).",
)
@each(target=("classes", "isotropic"))
@each_space
@called("of the solution")
def test_projections_of_the_solution(
    study: Study, called: str, space: str, target: str
) -> Question:
    return near_zero(projections("of_solution", target=target, space=space), UNCORRELATED)


@mechanism(
    "projection-uncorrelated",
    "Targets in random order have projections that are uncorrelated with the eigenvalues.",
    source="ours: it shows that the margin can be kept",
)
@each_space
@called("permuted")
def test_permuted_targets_are_uncorrelated(study: Study, called: str, space: str) -> Question:
    return near_zero(projections("of_targets", target="permuted", space=space), UNCORRELATED)


@mechanism(
    "projection-uncorrelated",
    "A planted correlation of the solution's projections with the eigenvalues is found.",
    source="ours: it shows that a correlation is not missed",
)
@each_space
@called("planted")
def test_planted_correlations_are_found(study: Study, called: str, space: str) -> Question:
    planted = projections("of_solution", target="planted", space=space)
    return Measured(planted, RISES, UNCORRELATED)


@mechanism(
    "projection-uncorrelated",
    "The more the solution's projections go with (against) the eigenvalues, the less noise shrinks "
    "least squares.",
    source="v2, mechanism 1, break condition",
)
@pytest.mark.parametrize("called", ["the more they rise", "the more they fall"])
def test_correlated_projections_weaken_the_shrinkage(study: Study, called: str) -> Question:
    way = 1 if "rise" in called else -1
    doses = tuple((at, broken("change", follows=way * at)) for at in (0.0, 0.5, 1.0, 2.0))
    return Graded(doses, RISES, along="power of the eigenvalue")


# --- random features ----------------------------------------------------------------------------

RANDOM_FEATURES = "random-feature regression with arbitrary data augmentation"


@mechanism(
    "rff-noise-is-ridge",
    "Gaussian noise of deviation s on random features is the ridge n s^2: the test errors are "
    f"equal within {EQUAL:.0%}.",
    source=RANDOM_FEATURES,
)
@each(p=FEATURES)
@each(form="ridge")
def test_noise_is_ridge(study: Study, form: str, p: int) -> Question:
    return Measured(noisy_features("ridge", p=p), FALLS, EQUAL)


@mechanism(
    "rff-noise-is-ridge",
    f"The test error under noise on features follows its formula within {PREDICTED:.0%}, away from "
    "the interpolation peak.",
    source=RANDOM_FEATURES,
)
@each(p=FEATURES)
@each(form="formula")
def test_error_follows_the_characterisation(study: Study, form: str, p: int) -> Question:
    return Measured(noisy_features("formula", p=p), FALLS, PREDICTED)


@mechanism(
    "rff-noise-is-ridge",
    "Noise on inputs has the test error of Gaussian features with the same mean and covariance "
    f"given the input, within {SURROGATE:.0%}.",
    source=RANDOM_FEATURES,
)
@each(p=(50, 100))
@each(form="surrogate")
def test_only_mean_and_covariance_count(study: Study, form: str, p: int) -> Question:
    return Measured(noisy_inputs("difference", p=p), FALLS, SURROGATE)


# --- controls -----------------------------------------------------------------------------------


@mechanism(
    "control-mechanism",
    "Exact duplicates shrink the least-squares solution.",
    source="ours: a negative control",
    guards="mechanism",
)
@called("duplicates")
def test_duplicates_shrink_nothing(study: Study, called: str) -> Question:
    ladder = tuple((n / 64, shrinkage(f"n{n}", augmentation="duplicates")) for n in COUNTS)
    return Everywhere(ladder, FALLS, along="images per pixel")


@mechanism(
    "control-mechanism",
    "AdamW's decay, which is no penalty, is the ridge solution.",
    source="ours: a negative control",
    guards="mechanism",
)
@called("adamw")
def test_decoupled_decay_is_not_ridge(study: Study, called: str) -> Question:
    return Measured(decayed("algebra", solver="adamw"), FALLS, EQUAL)


@mechanism(
    "control-mechanism",
    "Images as they are have larger eigenvalues than the same images.",
    source="ours: a negative control",
    guards="mechanism",
)
@each_space
@called("same images")
def test_the_same_images_inflate_nothing(study: Study, called: str, space: str) -> Question:
    return Measured(inflation("mean", augmentation="duplicates", space=space), RISES)
