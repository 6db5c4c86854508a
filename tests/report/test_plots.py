"""Each kind of question has its plot, each finding its sentence; samples have their strips."""

import base64
import io
from dataclasses import replace
from datetime import date

import msgspec
import numpy as np
import pytest
from PIL import Image

from ddiv.claim import Contrast, Resemblance
from ddiv.data.load import load
from ddiv.evidence import RISES, judge
from ddiv.finding import Reader, answer, withheld
from ddiv.finding.ledger import Entry
from ddiv.finding.wording import explained
from ddiv.outcome import Score, Spectral
from ddiv.report.figures import sheets
from ddiv.report.figures.plots import plot
from ddiv.report.schema import DosePlot, EstimatesPlot, LinesPlot, PairedPlot, RelationPlot
from ddiv.treatment import BASELINE, Flow, Setting
from ddiv.trial import sampling, trial
from ddiv.trial.store import Record, Store
from tests.support.claim_cases import APPLICABLE, DIGITS, WORLD, Case
from tests.support.claim_worlds import planted
from tests.support.planted import Levels, PlantedReader

SEEDS = (0, 1, 2)
OF_EACH_KIND = {type(case.question): case for case in reversed(APPLICABLE)}


@pytest.mark.parametrize(
    "case", OF_EACH_KIND.values(), ids=lambda case: type(case.question).__name__
)
def test_every_kind_of_question_has_a_plot(case: Case):
    reader = planted(case.question, case.study, "supported")
    drawn = plot(answer(case.asked(SEEDS), reader), reader)
    assert drawn.ylabel
    if isinstance(drawn, RelationPlot):
        assert len(drawn.points) == len(case.question.treatments)
        assert np.isfinite([[point.x, point.y] for point in drawn.points]).all()
        return
    if isinstance(drawn, EstimatesPlot):
        assert drawn.x and drawn.lines
        return
    curves = drawn.series if isinstance(drawn, LinesPlot) else (drawn.series,)
    assert all([row.seed for row in curve] == list(SEEDS) for curve in curves)
    places = drawn.arms if isinstance(drawn, PairedPlot) else drawn.x
    for row in (row for curve in curves for row in curve):
        assert len(row.y) == len(places) and np.isfinite(row.y).all()


def test_places_in_a_plane_are_means_over_seeds_joined_path_by_path():
    wanted = "aug-trajectories", "straight, rotation"
    case = next(case for case in APPLICABLE if (case.claim.id, case.variant) == wanted)
    reader = planted(case.question, case.study, "supported")
    drawn = plot(answer(case.asked(SEEDS), reader), reader)
    assert isinstance(drawn, RelationPlot) and drawn.joined
    paths = [point.group for point in drawn.points]
    assert list(dict.fromkeys(paths)) == ["noise", "rotation", "cutout"]
    assert [point.label for point in drawn.points][:3] == ["", "noise 1", "noise 2"]
    # Planted is the size of each seed's effect, 1, 1.05 and 1.1.
    assert np.allclose([[point.x, point.y] for point in drawn.points], 1.05)


def test_groups_are_called_what_their_arms_are():
    arms = (WORLD.augmentation("auto"),), (WORLD.dropout()[1][1],), (WORLD.decay()[1][1],)
    question = Resemblance(("alpha", "entropy_raw"), "classifier", *arms)
    case = Case(APPLICABLE[0].claim, WORLD, question, "auto")
    reader = planted(question, WORLD, "supported")
    assert plot(answer(case.asked(SEEDS), reader), reader).x == (
        "augmentation: alpha",
        "augmentation: entropy raw",
        "dropout: alpha",
        "dropout: entropy raw",
        "weight decay: alpha",
        "weight decay: entropy raw",
    )


def test_a_curve_shows_what_was_planted():
    ladder = WORLD.dropout()
    wanted = "drop-frobenius", WORLD, "classifier"
    case = next(case for case in APPLICABLE if (case.claim.id, case.study, case.variant) == wanted)
    family = {arm: Levels() for curve in WORLD.family for arm in curve}
    doses = family | {arm: Levels(scale=-i) for i, (_, arm) in enumerate(ladder)}
    levels = {trial(WORLD, arm, seed): at for arm, at in doses.items() for seed in SEEDS}
    reader = PlantedReader(WORLD, levels)
    drawn = plot(answer(case.asked(SEEDS), reader), reader)
    assert isinstance(drawn, DosePlot) and drawn.xlabel == "dropout rate"
    assert drawn.x == tuple(dose for dose, _ in ladder)
    norm = {
        arm: reader.trained(trial(WORLD, arm, 0)).after.layers(
            Spectral("frobenius_norm", "classifier")
        )[0]
        for _, arm in ladder
    }
    first = drawn.series[0]
    assert first.y == pytest.approx(tuple(norm[arm] - norm[BASELINE] for _, arm in ladder))
    # Planted optimisers do what the baseline does, at the arms' loss.
    assert first.specific == pytest.approx(first.y)


# --- sentences ------------------------------------------------------------------------------------


def finding(effects, **more):
    """A finding on a planted study, with the evidence of these effects."""
    question = Contrast(Score("accuracy", "ood"), (WORLD.augmentation("auto"),), RISES)
    seeds = tuple(range(len(effects)))
    asked = msgspec.structs.replace(
        Case(APPLICABLE[0].claim, WORLD, question, "auto").asked(seeds), **more
    )
    arms = dict.fromkeys((*question.arms(), *(arm for curve in WORLD.family for arm in curve)))
    levels = {trial(WORLD, arm, seed): Levels() for arm in arms for seed in seeds}
    found = answer(asked, PlantedReader(WORLD, levels))
    return replace(found, evidence=judge(effects), effects=tuple((effect,) for effect in effects))


def expected(verdict: str) -> Entry:
    return Entry(
        profile="embedded",
        claim="c",
        study=WORLD.name,
        verdict=verdict,
        since=date(2026, 1, 15),
        reason="Because.",
    )


def test_a_supported_finding_needs_no_explanation():
    assert explained(finding([0.1] * 6), 7) == ""


def test_a_contradicted_finding_has_the_ledgers_reason_or_its_count():
    wrong = [-0.1] * 6
    assert explained(finding(wrong), 7) == (
        "0 of 6 seeds agree with the claim, 6 go against it: the evidence against it "
        "passed 20 at 6 seeds."
    )
    assert explained(finding(wrong, expected=expected("contradicted")), 7) == "Because."
    assert "Because" not in explained(finding(wrong, expected=expected("inconclusive")), 7)


@pytest.mark.parametrize(
    "effects, most, words",
    [
        (
            [0.1, -0.1, 0.0],
            3,
            "1 of 3 seeds agrees with the claim, 1 goes against it, 1 shows no effect: evidence",
        ),
        ([0.1, -0.1, 0.0], 3, "The limit of 3 seeds is reached (--max-seeds allows more)."),
        ([0.1, 0.1, 0.1], 7, "More seeds, up to 7, may decide it; this run did not get to them."),
        (
            [0.1, -0.1, 0.1, -0.1],
            7,
            "No more seeds were spent: even if all up to 7 agreed from here on",
        ),
        ([0.1, 0.1], None, "(20 decides)."),
    ],
)
def test_an_inconclusive_finding_tells_what_is_missing(effects, most, words):
    told = explained(finding(effects), most)
    assert words in told and (most is not None or told.endswith(words))


def test_a_withheld_finding_names_its_fits():
    found = finding([0.1] * 6)
    caveat = "Only 20% of the power-law fits can be relied on, so it decides nothing here."
    held = replace(
        found, evidence=withheld(found.evidence), withheld=True, caveats=("Something else.", caveat)
    )
    assert explained(held, 7) == f"6 of 6 seeds agree with the claim. {caveat}"


# --- samples --------------------------------------------------------------------------------------


def pixels(image: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))))


def test_samples_stand_beside_real_images_of_their_classes(tmp_path):
    settings = (Setting("good"), Setting("poor", temperature=0.5))
    study = msgspec.structs.replace(
        DIGITS,
        generator=Flow(side=16, width=8, steps=1),
        settings=settings,
        shares=((0.5,), (0.5,)),
        rounds=2,
    )
    data, store = load(study.data_of(1)), Store(tmp_path)
    for setting, round, shade in ((settings[0], 1, 10), (settings[0], 2, 20), (settings[1], 1, 30)):
        images = np.full_like(data.inputs, shade)
        images[data.labels == 3] = 200
        job = sampling(study, study.generator, setting, round, 1)
        quality = {
            "accuracy": {"samples": 0.5, "real": 0.9},
            "nearest/pixel": {"copies": 0.25},
            "new": {"thing": 7},
        }
        store.save(
            Record(
                job,
                {"quality": quality},
                {"images": images, "labels": data.labels.astype(np.int32)},
            )
        )
    sheet = sheets.of_generator(study, (0, 1), Reader(store))
    assert [row.name for row in sheet.rows] == [
        "real training images",
        "good: guidance 1, temperature 1",
        "good: guidance 1, temperature 1, round 2",
        "poor: guidance 1, temperature 0.5",
    ]
    assert [row.seed for row in sheet.rows] == [None, 1, 1, 1] and len(sheet.classes) == 10
    assert sheet.rows[1].quality == {
        "accuracy on them of a classifier trained on real data": 0.5,
        "… and on real data": 0.9,
        "share nearer to one than 99 % of real ones are: copies (pixel)": 0.25,
        "new thing": 7,
    }
    real, first, *_ = (pixels(row.image) for row in sheet.rows)
    side = study.data.side
    assert first.shape == real.shape == (2 * side, 10 * side, 3)
    assert (first[:, 3 * side : 4 * side] == 200).all() and (first[:, : 3 * side] == 10).all()
    three = data.inputs[np.flatnonzero(data.labels == 3)[1]].transpose(1, 2, 0)
    assert (real[side:, 3 * side : 4 * side] == three).all()
    assert sheets.of_generator(study, (0,), Reader(Store(tmp_path / "empty"))) is None
    assert sheets.of_generator(DIGITS, (0,), Reader(store)) is None
