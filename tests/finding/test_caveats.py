"""What is said of findings that rest on networks that hardly learned."""

from dataclasses import replace

import pytest

from ddiv.claim import Contrast
from ddiv.evidence import FALLS
from ddiv.finding import Reader, answer, require_domains
from ddiv.finding.caveats import hardly_trained, of_training
from ddiv.outcome import Spectral
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
    """Records of arms whose accuracy on the clean training set is said."""

    def record(arm, seed):
        made = planted.record(
            trial(STUDY, arm, seed), STUDY, Levels(scale=-1.0 * (arm != BASELINE))
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
