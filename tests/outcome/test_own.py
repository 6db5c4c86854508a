"""Outcomes of a user's own: made of functions of a file, read off networks and records."""

import msgspec
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ddiv import outcome
from ddiv.claim import All, Change, Contrast, NotApplicable, Trend, jobs
from ddiv.claim.returned import BadQuestion, checked
from ddiv.evidence import FALLS, RISES
from ddiv.finding import Asked, Reader, answer
from ddiv.finding.unanswered import settled
from ddiv.outcome import OutcomeFailed, Spectral, of_network, of_outputs, of_spectrum, spectral
from ddiv.outcome.registry import OF_OUTPUTS, OF_SPECTRUM
from ddiv.profiles import python_file
from ddiv.report.figures import accuracy
from ddiv.study import Study
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import BASELINE, Dropout, Treatment
from ddiv.trial import canonical, decode, key, trial
from ddiv.trial.store import Store
from ddiv.trial.train import train
from tests.support.smoke import STUDY, ask

CPU = torch.device("cpu")
SHORT = msgspec.structs.replace(STUDY.recipe, epochs=1, checkpoints=(0, 1))
STRONG = Treatment.of(Dropout(0.2))


@of_network(unit="nats", better="lower")
def sharpness(trained, radius: float = 0.05) -> float:
    """How much a step of this length along the gradient raises the training loss."""
    weights = dict(trained.network.named_parameters())
    loss = F.cross_entropy(trained.network(trained.inputs), trained.labels)
    gradient = torch.autograd.grad(loss, list(weights.values()))
    length = torch.stack([part.norm() for part in gradient]).norm()
    moved = {
        name: weight.detach() + radius * part / length
        for (name, weight), part in zip(weights.items(), gradient)
    }
    there = torch.func.functional_call(trained.network, moved, (trained.inputs,))
    return float(F.cross_entropy(there, trained.labels).detach() - loss.detach())


@of_network(better="neither")
def own_draw(trained):
    return torch.rand((), generator=trained.draws)


@of_outputs(better="lower")
def brier(log_probabilities, labels):
    probabilities = np.exp(log_probabilities)
    return ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean()


@of_spectrum(unit="share", better="neither")
def middle(evals, N, M, low: float = 0.25):
    inside = slice(int(low * len(evals)), int((1 - low) * len(evals)))
    return evals[inside].sum() / evals.sum()


@of_spectrum()
def norm_again(evals, N, M):
    return OF_SPECTRUM["frobenius_norm"].function(evals, N, M)


@of_outputs()
def ece_again(log_probabilities, labels):
    return OF_OUTPUTS["ece"].function(log_probabilities, labels)


@of_outputs()
def tampering(log_probabilities, labels):
    log_probabilities[:] = 0
    return 0.0


@of_outputs()
def lost(log_probabilities, labels):
    return float("nan")


@of_spectrum()
def drawing(evals, N, M):
    return np.random.rand()


def study(*outcomes) -> Study:
    return msgspec.structs.replace(STUDY, recipe=SHORT, outcomes=outcomes)


def asked_of(on: Study, own) -> Asked:
    """Whether dropout raises an outcome, asked at two seeds."""
    asked = ask(Contrast(own, (STRONG,), RISES), seeds=(0, 1))
    return msgspec.structs.replace(asked, study=on)


OWN = study(sharpness(), sharpness(radius=0.1))


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store with an arm and the optimisation controls at two seeds."""
    store = Store(tmp_path_factory.mktemp("own") / "store")
    for arm in (*MEMBERS, STRONG):
        for seed in (0, 1):
            store.save(train(trial(OWN, arm, seed), CPU))
    return store


@pytest.fixture
def states(stored):
    """The baseline and an arm of one seed, read."""
    reader = Reader(stored)
    return [reader.trained(trial(OWN, arm, 0)) for arm in (BASELINE, STRONG)]


# --- values and keys ------------------------------------------------------------------------------


def test_a_call_makes_a_value_with_the_functions_defaults_in():
    assert sharpness() == sharpness(radius=0.05) != sharpness(radius=0.1)
    assert canonical(trial(study(sharpness(radius=1)), BASELINE, 0)) == canonical(
        trial(study(sharpness(radius=1.0)), BASELINE, 0)
    )
    assert sharpness(radius=0.1).label == "sharpness (radius 0.1) [nats]"
    assert brier("ood").label == "brier (ood)"
    assert middle("layer:head", low=0.3).label == "middle (head, low 0.3) [share]"
    assert (sharpness().unit, sharpness().better) == ("nats", "lower")


def test_trials_carry_the_studys_outcomes_and_the_questions_once_and_in_order():
    plain, own = study(), study(sharpness(radius=0.1), own_draw())
    assert b"outcomes" not in canonical(trial(plain, BASELINE, 0))
    carrying = trial(own, BASELINE, 0)
    assert carrying == trial(study(own_draw()), BASELINE, 0, [sharpness(radius=0.1), own_draw()])
    assert decode(canonical(carrying)) == carrying
    assert len({key(carrying), key(trial(plain, BASELINE, 0)), key(trial(OWN, BASELINE, 0))}) == 3


def test_a_question_stored_before_there_were_own_outcomes_still_reads():
    asked = ask(Contrast(Spectral("alpha", "all"), (STRONG,), RISES))
    old = msgspec.json.decode(msgspec.json.encode(asked))
    del old["study"]["outcomes"]
    assert msgspec.json.decode(msgspec.json.encode(old), type=Asked) == asked


def test_questions_of_own_outcomes_read_back_as_they_were():
    parts = (
        Contrast(sharpness(), (STRONG,), FALLS),
        Change(middle("classifier"), BASELINE, RISES),
        Trend(brier("id"), STUDY.dropout(), RISES),
    )
    asked = ask(All(parts))
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Asked) == asked
    wanted = jobs(asked.question, study(), (0,))
    assert {job.outcomes for job in wanted} == {(sharpness(),)}


FILE = """
from ddiv.outcome import of_network

@of_network(unit="nats")
def depth(trained):
    return {value}
"""


def test_two_functions_of_one_name_are_refused(tmp_path):
    depths = []
    for value in (1.0, 2.0):
        path = tmp_path / f"study_{value:.0f}.py"
        path.write_text(FILE.format(value=value))
        depths.append(python_file.run(path)["depth"]())
    assert depths[0].source != depths[1].source
    for refused in (lambda: study(*depths), lambda: trial(study(depths[0]), BASELINE, 0, depths)):
        with pytest.raises(ValueError, match="two different functions are called depth"):
            refused()


def test_the_source_does_not_depend_on_who_imports_it_first_or_on_claims_beside_it(tmp_path):
    (tmp_path / "depths.py").write_text(FILE.format(value=1.0))
    (tmp_path / "importing.py").write_text("from depths import depth\n[].append(1)\n")
    (tmp_path / "beside.py").write_text(
        FILE.format(value=1.0)
        + "from ddiv.claim.declare import claim\n"
        + '@claim("an-id", "a statement", source="a note")\ndef test_it(study):\n    return None\n'
    )
    made = [python_file.run(tmp_path / f"{name}.py")["depth"]() for name in ("depths", "importing")]
    assert made[0] == made[1]
    assert python_file.run(tmp_path / "beside.py")["depth"]() == made[0]


@pytest.mark.parametrize(
    "refused, words",
    [
        (lambda: of_network(lambda trained: 1.0), "are called: @of_network"),
        (lambda: of_network()(lambda trained: 1.0), "by `def`"),
        (lambda: of_network(unit=3), "unit of an outcome is text"),
        (lambda: of_outputs(better="up"), '"higher", "lower" or "neither"'),
        (lambda: of_outputs()(own_draw.function), "takes log-probabilities, labels and then"),
        (lambda: brier("train"), "outputs, and those on the training set are not stored"),
        (lambda: middle("claasifier"), "read over a group of layers"),
        (lambda: middle(convolution="both"), "`convolution` of SpectrumOutcome"),
        (lambda: sharpness(radios=0.1), "no option 'radios'; it has: radius"),
        (lambda: sharpness(radius=None), "neither text nor number"),
        (lambda: sharpness(radius=float("inf")), "`options` of NetworkOutcome"),
        (lambda: study(sharpness), r"of which sharpness\(\) makes an outcome"),
        (lambda: study(brier()), "`outcomes` of Study"),
    ],
)
def test_what_makes_no_outcome_is_refused_in_words(refused, words):
    with pytest.raises(ValueError, match=words):
        refused()


def test_a_function_that_is_not_called_in_a_claim_is_refused_in_words():
    with pytest.raises(
        BadQuestion, match=r"Contrast holds <the function brier, of which brier\(\""
    ):
        checked(Contrast(brier, (STRONG,), FALLS))


def test_a_name_of_ddivs_own_is_taken(tmp_path):
    path = tmp_path / "study.py"
    path.write_text(FILE.format(value=1.0).replace("depth", "accuracy"))
    with pytest.raises(ValueError, match="ddiv has an outcome called accuracy"):
        python_file.run(path)


# --- reading --------------------------------------------------------------------------------------


def test_a_trial_holds_its_outcomes_before_after_and_along_the_trajectory(states):
    base, arm = (read.record.facts["outcomes"] for read in states)
    names = ["sharpness(radius=0.05)", "sharpness(radius=0.1)"]
    assert list(base["before"]) == names and base["before"] == arm["before"]
    assert base["trajectory"] == [base["before"], base["after"]] and arm["trajectory"] == []
    assert base["after"][names[0]] < base["after"][names[1]]
    read, further = states[0], sharpness(radius=0.1)
    assert outcome.value(further, read.before) == base["before"][names[1]]
    expected = arm["after"][names[1]] - base["after"][names[1]]
    assert outcome.effect(further, states[1].after, read.after) == expected


def test_a_trial_with_outcomes_is_the_trial_without_them_bit_for_bit(states):
    plain = train(trial(study(), BASELINE, 0), CPU)
    own = states[0].record
    assert plain.arrays.keys() == own.arrays.keys()
    assert all(np.array_equal(plain.arrays[name], own.arrays[name]) for name in plain.arrays)
    facts = {**own.facts, "provenance": plain.facts["provenance"]}
    assert facts == {**plain.facts, "outcomes": own.facts["outcomes"]}


def test_outcomes_of_outputs_are_read_domain_by_domain(states):
    read = states[0]
    outputs, labels = (
        read.record.arrays[f"{name}/digits"] for name in ("log_probabilities", "labels")
    )
    expected = brier.function(outputs, labels)
    for where in ("id", "digits"):
        assert outcome.value(brier(where), read.after) == pytest.approx(expected)
    assert outcome.value(ece_again(), read.after) == read.after.scores["ece/id"]
    with pytest.raises(NotApplicable, match="no out-of-distribution domain"):
        jobs(Contrast(brier("ood"), (STRONG,), RISES), OWN, (0,))
    with pytest.raises(NotApplicable, match="no domain 'dig1ts', it has: digits"):
        jobs(Contrast(brier("dig1ts"), (STRONG,), RISES), OWN, (0,))
    with pytest.raises(OutcomeFailed, match="before training are not stored"):
        outcome.value(brier(), read.before)


@pytest.mark.parametrize("layers", ["all", "classifier", "encoder", "convolution"])
@pytest.mark.parametrize("convolution", ["pooled", "flat"])
def test_a_copy_of_a_built_in_outcome_gives_its_numbers(states, layers, convolution):
    base, arm = states
    own = norm_again(layers, convolution)
    built_in = Spectral("frobenius_norm", layers, convolution)
    for state in (base.before, base.after, *base.trajectory):
        assert outcome.value(own, state) == pytest.approx(outcome.value(built_in, state), rel=1e-12)
    assert outcome.effect(own, arm.after, base.after) == pytest.approx(
        outcome.effect(built_in, arm.after, base.after), rel=1e-9
    )
    names = [row.layer for row in outcome.by_layer(own, base.after)]
    assert names == [row.layer for row in outcome.by_layer(built_in, base.after)]
    assert outcome.reliability(own, arm.after, base.after) == 1.0


def test_built_in_outcomes_are_functions_of_one_spectrum_too():
    evals = np.sort(np.random.default_rng(0).normal(size=60) ** 2)
    for name, measure in OF_SPECTRUM.items():
        (alone,) = np.atleast_1d(measure.function(evals, 80, 60))
        assert alone == pytest.approx(spectral.table(evals[None], 80, 60)[name][0]), name


def test_the_two_matricisations_are_definitions_of_an_own_outcome():
    assert outcome.definitions(middle("all"), True) == [
        middle("all"),
        middle("all", convolution="flat"),
    ]
    for one in (middle("classifier"), sharpness(), brier()):
        assert outcome.definitions(one, True) == [one]


@pytest.mark.parametrize("own", [sharpness(), brier(), middle("classifier")], ids=lambda o: o.name)
def test_between_two_checkpoints_an_own_outcome_is_interpolated(states, own):
    base = states[0]
    low, high = sorted(state.scores["loss/train"] for state in base.trajectory)
    (state,) = outcome.passes(base.trajectory, (low + high) / 2)
    early, late = (outcome.value(own, state) for state in base.trajectory)
    assert min(early, late) < outcome.value(own, state) < max(early, late)


# --- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [sharpness(), brier(), middle("all")], ids=lambda o: o.name)
def test_a_claim_about_an_own_outcome_comes_to_a_finding_with_both_verdicts(stored, own):
    asked = asked_of(OWN, own)
    found = answer(asked, Reader(stored))
    assert len(found.effects) == 2 and all(effect for (effect,) in found.effects)
    assert found.specific is None and "not calibrated" in found.specific_note
    assert found.evidence.verdict == "inconclusive"  # two seeds decide nothing
    assert asked.question.unit == own.label


def test_a_claim_finds_its_trials_though_the_study_names_none_of_its_outcomes(stored):
    lacking = study(sharpness())
    asked = asked_of(lacking, sharpness(radius=0.1))
    assert answer(asked, Reader(stored)).jobs == tuple(
        key(trial(OWN, arm, seed)) for seed in (0, 1) for arm in (BASELINE, STRONG, *MEMBERS[1:])
    )


def test_the_table_of_accuracies_has_the_studys_outcomes(stored):
    table = accuracy.table(OWN, [0, 1], Reader(stored))
    assert table.columns[-1].replace("\N{NO-BREAK SPACE}", " ") == "sharpness (radius 0.1) [nats]"
    assert table.better[-3:] == ("higher", "lower", "lower")
    assert {len(row.cells) for row in (*table.rows, *table.further)} == {len(table.columns)}


@of_outputs()
def of_torch(log_probabilities, labels):
    return F.nll_loss(log_probabilities, labels)


def test_options_are_given_by_name():
    with pytest.raises(ValueError, match=r"options .* go by name: sharpness\(radius=0\.2\)"):
        sharpness(0.2)
    with pytest.raises(ValueError, match="go by name: it has none"):
        brier("id", 0.2)
    with pytest.raises(ValueError, match=r'go by name: middle\("classifier", low=0\.2\)'):
        middle("all", "pooled", 0.2)


@pytest.mark.parametrize(
    "own, words",
    [
        (lost(), r"lost is nan: return a finite number \(in digits, .*seed 0, record \w{20}\)"),
        (
            tampering(),
            r"tampering raised ValueError: assignment destination is read-only "
            r"\(tests/outcome/test_own\.py:\d+\)",
        ),
        (of_torch(), r"of_torch raised TypeError: .* \(it is given NumPy arrays\) \(tests/"),
        (drawing("all"), "drawing draws from the global generator of numpy.random"),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_a_function_that_cannot_be_read_is_an_error_that_names_it(stored, own, words):
    asked = asked_of(OWN, own)
    with pytest.raises(OutcomeFailed, match=words):
        answer(asked, Reader(stored))
    unanswered = settled(asked, Reader(stored))
    assert unanswered.word == "error" and "fault of ddiv" not in unanswered.reason
