"""What is said of findings that rest on networks that hardly learned, or on calibration errors that
are mostly sampling.
"""

from dataclasses import replace

import numpy as np
import pytest

from ddiv.claim import Contrast
from ddiv.evidence import FALLS
from ddiv.finding import Reader, answer, require_domains
from ddiv.finding.caveats import Floor, hardly_trained, of_floors, of_training
from ddiv.outcome import Score, Spectral
from ddiv.study.optimisation import MEMBERS
from ddiv.treatment import BASELINE, Dropout, EvaluationDropout, ShuffledLabels, Treatment
from ddiv.trial import trial
from ddiv.trial.store import StoreError
from tests.support import planted
from tests.support.planted import Levels
from tests.support.smoke import SEEDS, STUDY, ask

SMALL, LARGE = Treatment.of(Dropout(0.1)), Treatment.of(Dropout(0.5))


@pytest.mark.parametrize(
    "base, small, large, chance, named",
    [
        (0.9, 0.8, 0.7, 0.1, []),
        (0.9, 0.8, 0.49, 0.1, [LARGE]),
        (0.9, 0.4, 0.1, 0.1, [SMALL, LARGE]),
        (0.12, 0.5, 0.5, 0.1, [BASELINE]),
        (0.9, 0.6, 0.6, 0.5, [SMALL, LARGE]),
    ],
)
def test_half_of_what_the_baseline_fits_above_chance_is_asked_of_an_arm(
    base, small, large, chance, named
):
    accuracies = {BASELINE: base, SMALL: small, LARGE: large}
    found = hardly_trained(accuracies, chance)
    assert found == named
    (text,) = [*of_training(found, accuracies)] or [""]
    assert ("dropout 0.5" in text) == (LARGE in named) and ("hardly more than chance" in text) == (
        named == [BASELINE]
    )


def planted_with(accuracy: dict, domains=None) -> Reader:
    """Records of arms whose accuracy on the clean training set is said; those of optimisation
    controls are the baseline's.
    """
    accuracy = dict.fromkeys(MEMBERS, accuracy[BASELINE]) | accuracy

    def record(arm, seed):
        made = planted.record(
            trial(STUDY, arm, seed), STUDY, Levels(scale=-1.0 * (arm not in MEMBERS))
        )
        clean = {"loss": 0.1, "accuracy": accuracy[arm]}
        return replace(
            made, facts=made.facts | {"clean": clean} | ({"domains": domains} if domains else {})
        )

    return Reader(
        None, {trial(STUDY, arm, seed): record(arm, seed) for arm in accuracy for seed in SEEDS}
    )


def test_a_supported_claim_on_untrained_networks_says_so():
    question = Contrast(Spectral("frobenius_norm", "encoder"), (LARGE,), FALLS)
    poor = answer(ask(question), planted_with({BASELINE: 0.9, LARGE: 0.12}))
    good = answer(ask(question), planted_with({BASELINE: 0.9, LARGE: 0.8}))
    assert poor.evidence == good.evidence and poor.evidence.verdict == "supported"
    assert poor.hardly_trained and "dropout 0.5 12%; the baseline 90%" in poor.caveats[-1]
    assert not good.hardly_trained and not any("hardly" in text for text in good.caveats)


@pytest.mark.parametrize(
    "arm", [Treatment.of(ShuffledLabels()), Treatment.of(EvaluationDropout(0.5))]
)
def test_controls_that_are_not_meant_to_fit_are_no_matter(arm):
    question = Contrast(Spectral("frobenius_norm", "encoder"), (arm,), FALLS)
    assert not answer(ask(question), planted_with({BASELINE: 0.9, arm: 0.1})).hardly_trained


def test_data_of_other_domains_than_the_study_says_is_an_error():
    question = Contrast(Spectral("frobenius_norm", "encoder"), (LARGE,), FALLS)
    with pytest.raises(
        StoreError,
        match=r"the data of the study .* has the domains \('sketch', 'photo'\), and the study says",
    ):
        answer(
            ask(question), planted_with({BASELINE: 0.9, LARGE: 0.8}, domains=["sketch", "photo"])
        )
    require_domains(STUDY, [*STUDY.domains])


SHARPER = Contrast(Score("ece", "id"), (LARGE,), FALLS)


def of_calibration(right: dict, samples: int = 100) -> Reader:
    """Records of arms that are right on so many of the test samples, each with confidence .85."""
    outputs = np.log(np.full((samples, 10), 0.15 / 9, dtype=np.float32))
    outputs[:, 0] = np.log(0.85)

    def record(job):
        made = planted.record(job, STUDY, Levels())
        labels = (np.arange(samples) >= right.get(job.treatment, right[BASELINE])).astype(np.int32)
        arrays = {
            name: {"labels": labels, "log_probabilities": outputs}.get(name.split("/")[0], array)
            for name, array in made.arrays.items()
        }
        return replace(made, arrays=arrays)

    return Reader(None, {job: record(job) for job in ask(SHARPER).jobs()})


def test_a_calibration_error_below_twice_its_floor_decides_nothing():
    """85 +- 3.6 of 100 right answers are to be expected of a calibrated network: 2 more say little,
    though at every seed they are 2 more than the other arm's.
    """
    finding = answer(ask(SHARPER), of_calibration({BASELINE: 87, LARGE: 85}))
    assert finding.evidence.effect == pytest.approx(-0.02)
    assert finding.withheld and finding.evidence.verdict == "inconclusive"
    (told,) = [text for text in finding.caveats if "calibrated network" in text]
    assert told == (
        "The baseline's ece (id) is 0.020; a calibrated network as sure as it would show 0.028 on "
        "as many test samples, more than half of it, so it decides nothing here."
    )
    verdicts = dict(finding.definitions)
    assert verdicts["ece mass (id)"] == "inconclusive"
    assert verdicts["ece debiased (id)"] == "supported"  # it has no floor


def test_a_calibration_error_well_above_its_floor_decides_and_the_floor_is_shown():
    finding = answer(ask(SHARPER), of_calibration({BASELINE: 60, LARGE: 70}))
    assert not finding.withheld and finding.evidence.verdict == "supported"
    (told,) = [text for text in finding.caveats if "calibrated network" in text]
    assert "ece (id) is 0.250" in told and told.endswith("show 0.028 on as many test samples.")
    accuracy = answer(
        ask(SHARPER.replace_outcome(Score("accuracy", "id"))),
        of_calibration({BASELINE: 60, LARGE: 70}),
    )
    assert not any("calibrated network" in text for text in accuracy.caveats)


@pytest.mark.parametrize("floor, hides", [(0.026, True), (0.025, False), (0.0, False)])
def test_half_of_the_error_is_the_bar(floor, hides):
    assert Floor(floor, 0.05).hides == hides
    told = [*of_floors({Score("ece", "id"): Floor(floor, 0.05)})]
    assert ("decides nothing" in told[0]) == hides
