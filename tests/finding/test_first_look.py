"""A first look suggests epochs and doses at which arms learn."""

from types import SimpleNamespace

import msgspec
import pytest

from ddiv.cli.main import main
from ddiv.finding.first_look import SEED, lines, look
from ddiv.treatment import Dropout, WeightDecay
from tests.support.smoke import STUDY

DOSED = msgspec.structs.replace(STUDY, dropout_rates=(0.1, 0.3, 0.7), decays=(0.01, 0.1))
EPOCHS = DOSED.recipe.epochs


def trained(accuracy):
    """Obtains records whose accuracy is a function of (epochs, dropout, decay)."""

    def obtain(job):
        assert job.seed == SEED and not job.recipe.checkpoints
        dropout, decay = job.treatment.part(Dropout), job.treatment.part(WeightDecay)
        reached = accuracy(
            job.recipe.epochs, dropout.rate if dropout else 0.0, decay.value if decay else 0.0
        )
        return SimpleNamespace(facts={"classes": 10, "clean": {"accuracy": reached}})

    return obtain


def said(accuracy):
    return "\n".join(lines(look(DOSED, trained(accuracy)), DOSED))


def test_a_study_that_learns_is_left_as_it_is():
    told = said(lambda epochs, dropout, decay: 0.99)
    assert "Nothing to change" in told and "Suggested" not in told
    assert f"99%  the baseline, {EPOCHS} epochs" in told and told.count("baseline, ") == 1


def test_a_baseline_that_learns_late_gets_the_epochs_that_it_takes():
    told = said(lambda epochs, dropout, decay: 0.95 if epochs >= 2 * EPOCHS else 0.4)
    assert f"Suggested: epochs = {2 * EPOCHS}" in told and "Suggested: dropout" not in told


def test_one_that_never_learns_gets_another_advice():
    told = said(lambda epochs, dropout, decay: 0.12)
    assert "another learning rate" in told and "Suggested: epochs" not in told


def test_doses_are_taken_away_from_the_top_until_one_fits():
    told = said(lambda epochs, dropout, decay: 0.99 if dropout < 0.5 else 0.2)
    assert "Suggested: dropout_rates = (0.1, 0.3)" in told and "decays = " not in told
    told = said(lambda epochs, dropout, decay: 0.99 if decay < 0.001 else 0.2)
    assert "Suggested: decays = (0.0025, 0.005)" in told
    assert "hardly trained" in told


def test_the_command_needs_a_file_of_studies(tmp_path, capsys):
    path = str(tmp_path / "absent.py")
    assert main(["look", "--study", path, "--store", str(tmp_path / "store")]) == 2
    assert "there is no file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["look"])
