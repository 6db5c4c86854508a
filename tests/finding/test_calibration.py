"""Calibrations: what they depend on, where they are looked for, how they are made."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from ddiv.finding import Reader, calibration
from ddiv.finding.calibrating import SEEDS, calibrated, jobs, margin
from ddiv.finding.calibration import FEWEST, fingerprint, known, name_of, path_in, written
from ddiv.outcome import Score, Spectral, of_network, value
from ddiv.profiles.choose import profile
from ddiv.study import Digits
from ddiv.study.optimisation import HELD_OUT, LENGTH_CURVE, MEMBERS, RATE_CURVE
from ddiv.treatment import BASELINE, OTHER_SEEDS_BEGIN, Length, NoOp, Rate, Treatment
from ddiv.trial import trial
from tests.support import planted
from tests.support.planted import EXACT, Levels
from tests.support.smoke import STUDY

NORM = Spectral("frobenius_norm", "encoder")


def changed(study=STUDY, **fields):
    return msgspec.structs.replace(study, **fields)


def test_the_family_is_two_curves_through_the_baseline_and_members_held_out_of_them():
    assert [arm.label for arm in RATE_CURVE] == [
        "rate x 0.25",
        "rate x 0.5",
        "baseline",
        "rate x 2",
    ]
    assert [arm.label for arm in LENGTH_CURVE][1:] == ["length x 0.7", "baseline", "length x 1.5"]
    assert STUDY.family == (RATE_CURVE, LENGTH_CURVE) and not {*HELD_OUT} & {*MEMBERS}
    assert Treatment.of(Rate(1.0)) == BASELINE == Treatment.of(Length(1.0))
    assert {*MEMBERS, *STUDY.held_out} <= {*STUDY.arms}  # so that tables show them
    batches_only = profile("embedded").studies[4]
    assert batches_only.batches and not {*MEMBERS[1:]} & {*batches_only.arms}


def test_a_calibration_depends_on_data_model_and_recipe_and_on_no_arm():
    same = fingerprint(STUDY)
    arms = changed(dropout_rates=(0.3,), decays=(), augmentations=(), extreme_augmentations=())
    assert fingerprint(arms) == same == fingerprint(changed(name="other", title="other"))
    faster = msgspec.structs.replace(STUDY.recipe, lr=1e-2)
    plots = msgspec.structs.replace(STUDY.recipe, checkpoints=())
    assert fingerprint(changed(recipe=plots)) == same
    assert fingerprint(changed(recipe=faster)) != same
    assert fingerprint(changed(data=Digits(train=130, side=16))) != same
    wider = msgspec.structs.replace(STUDY.backbone, width=8)
    assert fingerprint(changed(backbone=wider)) != same


def test_the_seeds_are_those_of_no_claim():
    assert 100_000 < min(SEEDS) and max(SEEDS) < OTHER_SEEDS_BEGIN and len(SEEDS) == 8


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    return tmp_path / "shipped"


def made(study, **fields):
    return msgspec.structs.replace(
        msgspec.convert(msgspec.to_builtins(EXACT), calibration.Calibration),
        study=study.name,
        fingerprint=fingerprint(study),
        **fields,
    )


def test_a_calibration_is_found_in_the_store_or_in_the_package(shipped, tmp_path):
    here, there = made(STUDY, margins={"x": 1.0}), made(STUDY, margins={"x": 2.0})
    (shipped / f"{STUDY.name}.json").write_bytes(written(there))
    assert known(STUDY, None) == known(STUDY, tmp_path) == (there, "")
    path = path_in(tmp_path, STUDY)
    path.parent.mkdir()
    path.write_bytes(written(here))
    assert known(STUDY, tmp_path) == (here, "")  # whoever calibrates wants that to count
    assert known(changed(name="renamed"), tmp_path) == (here, "")
    path.write_bytes(b"damaged")
    assert known(STUDY, tmp_path) == (there, "")


def test_a_study_as_coded_has_the_calibration_of_the_study_whose_data_and_recipe_it_has(shipped):
    (shipped / f"{STUDY.name}.json").write_bytes(written(made(STUDY)))
    coded = msgspec.structs.replace(STUDY, name=f"{STUDY.name}-as-coded", decays=())
    assert known(coded, None) == (made(STUDY), "")
    other = msgspec.structs.replace(coded, name=f"{STUDY.name}-otherwise")
    assert known(other, None)[0] is None


def test_one_of_other_data_or_recipe_is_left_and_that_is_told(shipped):
    none, note = known(STUDY, None)
    assert none is None and "run `ddiv calibrate`" in note and "other data" not in note
    (shipped / f"{STUDY.name}.json").write_bytes(written(made(STUDY)))
    other = changed(recipe=msgspec.structs.replace(STUDY.recipe, lr=1e-2))
    none, note = known(other, None)
    assert none is None and "is of other data, model or recipe" in note


def test_it_is_written_sorted_and_short(shipped):
    one = made(STUDY, margins={"b": 1 / 3, "a": 2e-9 / 3}, noise={"a": 123456.789})
    text = written(one).decode()
    assert text.index('"a"') < text.index('"b"') and "0.333333" in text and "6.66667e-10" in text
    assert "123457" in text and written(msgspec.json.decode(text, type=type(one))) == written(one)


def test_a_margin_is_one_of_the_residuals():
    values = [float(i) for i in range(1, 101)]
    assert margin(values) == 96.0 and margin([*values, np.nan]) == 96.0
    assert margin([1.0] * FEWEST) == 1.0 and margin([1.0] * (FEWEST - 1)) is None
    assert margin([np.nan] * 100) is None


@of_network(unit="", better="neither")
def sharpness(trained):
    return 1.0


def test_an_outcome_of_a_users_own_goes_by_its_source_too():
    own = sharpness()
    changed_source = msgspec.structs.replace(own, source="0" * 64)
    assert name_of(own) != name_of(changed_source) and name_of(own).startswith(own.label)
    assert name_of(Score("ece", "id")) == "ece (id)"


# Losses and scales at which the curves are one line, and held-out members lie beside it.
LINE = {"rate x 0.25": 3, "rate x 0.5": 2, "baseline": 0, "rate x 2": -2, "length x 0.4": 3}
LINE |= {"length x 0.7": 2, "length x 1.5": -2}


def planted_reader(beside):
    """Members on the line; held-out ones `beside(i, seed)` of it in scale; the no-op's noise."""
    records = {}
    for seed in SEEDS:
        for i, arm in enumerate((*MEMBERS, *HELD_OUT, Treatment.of(NoOp()))):
            at = LINE.get(arm.label, 0.5)
            scale = -float(at)
            if arm in HELD_OUT:
                scale += beside(i, seed)
            elif arm.part(NoOp):
                at, scale = 0, 0.1 * (-1) ** seed
            accuracy = 1.0 if arm.label == "length x 0.7" else 0.0
            job = trial(STUDY, arm, seed)
            record = planted.record(job, STUDY, Levels(scale=scale, accuracy=accuracy))
            clean = {"loss": 0.1 * 10**at, "accuracy": 1.0}
            records[job] = replace(record, facts={**record.facts, "clean": clean})
    return Reader(None, records)


def scaled(scale):
    return value(NORM, planted.trained(STUDY, False, Levels(scale=scale)).after)


def test_margins_noise_and_the_best_member_are_those_of_the_trials():
    found = calibrated(STUDY, planted_reader(lambda i, seed: 0.2 if i == len(MEMBERS) else 0.0))
    assert (found.study, found.fingerprint, found.seeds) == (STUDY.name, fingerprint(STUDY), SEEDS)
    # A sixth of the residuals are of the member that lies beside, so the 95th percentile is too.
    line = scaled(0) * 0.75 + scaled(-2.0) * 0.25  # a quarter of the way from x 1 to x .5
    assert found.margins[name_of(NORM)] == pytest.approx(abs(scaled(-0.3) - line))
    swing = scaled(0.1) - scaled(-0.1)
    assert found.noise[name_of(NORM)] == pytest.approx(swing / 2 * np.sqrt(8 / 7), rel=1e-3)
    assert found.best == "length x 0.7" and found.best_member == Treatment.of(Length(0.7))
    assert found.accuracy["length x 0.7"] == pytest.approx(found.accuracy["baseline"] + 0.05)
    assert found.matched == dict.fromkeys((arm.label for arm in HELD_OUT), 8)
    expected = {name_of(Score(kind, "id")) for kind in ("accuracy", "ece", "ece_mass")}
    assert (
        expected <= {*found.margins} and name_of(Spectral("alpha", "all", "flat")) in found.margins
    )
    assert name_of(Spectral("alpha", "classifier", "flat")) not in found.margins


def test_residuals_between_the_curves_are_none():
    """Rates shrink less at a loss than lengths do: members between the two have no residual."""
    reader = planted_reader(lambda i, seed: 0.1)
    for seed in SEEDS:
        job = trial(STUDY, Treatment.of(Length(0.7)), seed)
        record = planted.record(job, STUDY, Levels(scale=-1.0))
        reader.add(
            {job: replace(record, facts={**record.facts, "clean": {"loss": 10.0, "accuracy": 1.0}})}
        )
    assert calibrated(STUDY, reader).margins[name_of(NORM)] == 0


def test_its_trials_are_of_the_family_of_what_is_held_out_and_of_the_no_op():
    needed = jobs(STUDY)
    assert len(needed) == len(set(needed)) == 8 * (len(MEMBERS) + len(HELD_OUT) + 1) == 112
    assert {job.seed for job in needed} == {*SEEDS}
