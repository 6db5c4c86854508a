"""What synthetic tables keep of an average treatment effect (ATE), and what they do not.

"Generative Synthetic Data for Causal Inference: Pitfalls, Remedies, and Opportunities" (arXiv):
"fully generative tabular synthesizers ... can preserve predictive utility while distorting average
treatment effect (ATE) estimates. The failure is structural: ATE preservation requires both a
realistic covariate law and an accurate treatment-effect contrast, whereas prediction loss penalizes
treatment-effect error only through an overlap-weighted term. ... a hybrid synthetic-data framework
that generates covariates while modeling treatment and outcome mechanisms separately ... simulation
engines for comparing OR, IPW, AIPW, and TMLE before real-data analysis."

Theirs are GANs and language models; ours are mixtures of 3 and of 10 Gaussians, trees column by
column and a Gaussian copula, all of whole rows, on tables whose law and effect are known
(`fixtures.causal_tables`). A replicate draws real tables, test tables and synthetic ones anew.
"""

from functools import partial

from ddiv.claim import Compared, Measured, Panel, Question
from ddiv.claim.declare import claim, each
from ddiv.evidence import FALLS, RISES
from ddiv.study import Study
from fixtures.arms import STRONG, called, having, sizes
from fixtures.causal_tables import ESTIMATORS, FAIR, JOINT, WEAK, kept, ranked

GROUP = "causal tables"
# Of an AUC: prediction is kept.
KEPT = 0.02
# Of an effect: what a synthetic table may add to the error of the real one itself.
FAITHFUL = 0.02

each_size = each(size=lambda study: sizes(study, GROUP))
each_overlap = each(overlap=(FAIR, WEAK))
each_joint = each(how=JOINT)


# Of studies with tables of a treatment.
causal = partial(claim, source="causal inference, abstract", needs="experiments", on=having(GROUP))


def by_generator(what: str, size: str) -> Panel:
    shown = ("hybrid", *JOINT)
    return Panel(
        "generator",
        shown,
        tuple(
            (name, tuple(kept(f"{what}_{how}", size=size, overlap=at) for how in shown))
            for name, at in (("fair overlap", FAIR), ("weak overlap", WEAK))
        ),
    )


def by_estimator(size: str) -> Panel:
    return Panel(
        "estimator",
        tuple(name.upper() for name in ESTIMATORS),
        tuple(
            (f"{kind} tables", tuple(ranked(f"{kind}_{name}", size=size) for name in ESTIMATORS))
            for kind in ("real", "synthetic")
        ),
    )


@causal(
    "causal-synth",
    "A model of outcomes that is trained on synthetic rows has nearly the AUC on real ones that "
    f"real rows give (within {KEPT:g}).",
)
@each_size
@each(how=("hybrid", *JOINT))
@each_overlap
@each(form="prediction")
def test_prediction_is_kept(
    study: Study, form: str, how: str, overlap: float, size: str
) -> Question:
    lost = kept(f"lost_{how}", size=size, overlap=overlap)
    return Measured(lost, FALLS, KEPT, shown=by_generator("lost", size))


@causal(
    "causal-synth",
    "The estimated effect is further from the true one on tables of a generator of whole rows than "
    "on those of a hybrid, which generates covariates and models treatment and outcome.",
)
@each_size
@each_joint
@each_overlap
@each(form="effect")
def test_effects_are_distorted(
    study: Study, form: str, how: str, overlap: float, size: str
) -> Question:
    error, of_hybrid = (
        kept(f"error_{each}", size=size, overlap=overlap) for each in (how, "hybrid")
    )
    return Compared(error, of_hybrid, RISES, shown=by_generator("error", size))


@causal(
    "causal-synth",
    "The estimated effect on tables of a hybrid is as near to the true one as that on the real "
    f"table, within {FAITHFUL:g}.",
)
@each_size
@each_overlap
@each(form="hybrid keeps the effect")
def test_hybrids_keep_effects(study: Study, form: str, overlap: float, size: str) -> Question:
    error, of_real = (
        kept(f"error_{each}", size=size, overlap=overlap) for each in ("hybrid", "real")
    )
    return Compared(error, of_real, FALLS, FAITHFUL)


@causal("causal-synth", "Errors of the effect are larger where overlap is weak.")
@each_size
@each(how=("hybrid", *JOINT))
@each(form="overlap")
def test_weak_overlap_hides_effects(study: Study, form: str, how: str, size: str) -> Question:
    weak, fair = (kept(f"error_{how}", size=size, overlap=overlap) for overlap in (WEAK, FAIR))
    return Compared(weak, fair, RISES)


@causal(
    "causal-synth",
    "OR, IPW, AIPW and TMLE rank by their errors on tables of a hybrid as on real ones (Spearman "
    f"above {STRONG:g}).",
)
@each_size
@called("estimators")
def test_estimators_rank_alike(study: Study, called: str, size: str) -> Question:
    return Measured(ranked("agreement", size=size), RISES, STRONG, shown=by_estimator(size))


# --- controls -----------------------------------------------------------------------------------


@causal(
    "causal-synth",
    "A generator that draws every column by itself loses the effect.",
    source="ours: it shows that a lost effect is seen",
)
@each_size
@called("shuffled")
def test_shuffled_columns_lose_the_effect(study: Study, called: str, size: str) -> Question:
    error, of_hybrid = (
        kept(f"error_{each}", size=size, overlap=FAIR) for each in ("shuffled", "hybrid")
    )
    return Compared(error, of_hybrid, RISES)


@causal(
    "control-causal",
    "Another draw of a generator is further from the true effect than the first.",
    source="ours: a negative control",
    guards="causal",
)
@each_size
@called("another draw")
def test_another_draw_is_no_worse(study: Study, called: str, size: str) -> Question:
    error, of_first = (
        kept(f"error_{each}", size=size, overlap=FAIR) for each in ("again", "mixture10")
    )
    return Compared(error, of_first, RISES)


@causal(
    "control-causal",
    "A hybrid whose outcomes do not know of the treatment keeps the effect as the real table does, "
    f"within {FAITHFUL:g}.",
    source="ours: a negative control",
    guards="causal",
)
@each_size
@called("untreated")
def test_outcomes_without_treatment_lose_the_effect(
    study: Study, called: str, size: str
) -> Question:
    error, of_real = (
        kept(f"error_{each}", size=size, overlap=FAIR) for each in ("untreated", "real")
    )
    return Compared(error, of_real, FALLS, FAITHFUL)
