"""The paper's pictures: what is drawn, against the functions that answer claims; what is said of
planted tables.
"""

import json
import random

import msgspec
import numpy as np
import pytest

from ddiv import outcome as outcomes
from ddiv.finding import Reader
from ddiv.outcome import Score, Spectral
from ddiv.profiles.studies import clip_world_as_coded
from ddiv.report.figures import accuracy
from ddiv.report.figures.changes import changes, group_of, lengths, per_seed
from ddiv.report.figures.densities import densities
from ddiv.report.figures.diversity import correlation, diversity, vendi
from ddiv.report.figures.pictures import paper, pictures
from ddiv.report.schema import (
    ChangedArm,
    Changes,
    Claim,
    Compared,
    DiverseArm,
    Finding,
    LayerChanges,
    Material,
    Page,
    Picture,
)
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment, WeightDecay
from ddiv.trial import trial
from ddiv.trial.store import Store
from tests.support.claim_cases import EVERYTHING
from tests.support.parsed_page import parse
from tests.support.planted import Levels, record
from tests.support.sample_materials import ARMS, material

STUDY = msgspec.structs.replace(
    EVERYTHING, dropout_rates=(0.05, 0.1, 0.15), augmentations=("auto", "rand"), rounds=1
)
SEEDS = (0, 1, 2)
MISSING = (Treatment.of(Dropout(STUDY.dropout_rates[1])), 1)


def levels(arm: Treatment, seed: int) -> Levels:
    turned = Levels(scale=0.1 * seed, start=("power law", 1.0))
    if part := arm.part(Dropout):
        turned = turned.turned("exponent", 4 * part.rate)
    if part := arm.part(WeightDecay):
        turned = turned.turned("scale", -20 * part.value)
    if part := arm.part(Augmentation):
        turned = (
            turned.turned("embedding", 1 + (part.name == "rand"))
            .turned("pixel", -1)
            .turned("accuracy", 1)
        )
    return turned


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Reader:
    from ddiv.claim import data_view

    store = Store(tmp_path_factory.mktemp("store"))
    for seed in SEEDS:
        for arm in STUDY.arms:
            if (arm, seed) != MISSING and arm.group not in ("control", "batch size"):
                store.save(record(trial(STUDY, arm, seed), STUDY, levels(arm, seed)))
                if arm.group != "synthetic":
                    store.save(record(data_view(STUDY, arm, seed), STUDY, levels(arm, seed)))
        for i, (_, arm) in enumerate(STUDY.by_classes()):
            store.save(record(data_view(STUDY, arm, seed), STUDY, Levels(pixel=-abs(i - 2))))
    return Reader(store)


@pytest.fixture(scope="module")
def found(reader) -> Changes:
    return changes(STUDY, SEEDS, reader)


# --- tables from stored records -------------------------------------------------------------------


def test_changes_are_what_the_claims_measure(found, reader):
    """Value by value `outcome.effect` of after and before: means, medians, and layers whose fits
    cannot be relied on.
    """
    labels, compared = [arm.label for arm in found.arms], 0
    for arm in (BASELINE, STUDY.dropout()[-1][1], STUDY.decay()[-1][1], STUDY.augmentation("auto")):
        for j, seed in enumerate(SEEDS):
            trained = reader.trained(trial(STUDY, arm, seed))
            for view in found.views:
                for metric in found.metrics:
                    effect = outcomes.effect(Spectral(metric, view), trained.after, trained.before)
                    shown = found.values[view][metric][labels.index(arm.label)][j]
                    assert shown == pytest.approx(effect, rel=1e-3, abs=1e-12)
                    compared += bool(effect)
    assert compared > 100 and {"classifier", "encoder", "convolution"} <= set(found.views)
    assert "mp_soft_rank" not in found.metrics


def test_layers_whose_fits_cannot_be_relied_on_are_left_out():
    from ddiv.report.figures.changes import _over_layers

    moved, sure = (
        np.array([[1.0, 3.0, 99.0], [1.0, 3.0, 99.0]]),
        np.array([[True, True, False], [False] * 3]),
    )
    columns = np.arange(3)
    # medians; of no reliable layer: of all
    assert _over_layers(moved, sure, columns, "alpha").tolist() == [2.0, 3.0]
    assert _over_layers(
        moved, np.ones_like(sure), columns, "stable_rank"
    ).tolist() == pytest.approx([103 / 3] * 2)


def test_what_the_store_lacks_is_no_number(found):
    row = [arm.label for arm in found.arms].index(MISSING[0].label)
    assert [value is None for value in found.values["classifier"]["alpha"][row]] == [
        False,
        True,
        False,
    ]
    assert not {"control", "batch size"} & {arm.group for arm in found.arms}
    assert changes(STUDY, (7,), Reader(Store("/nowhere"))) is None


def test_a_costly_metric_is_computed_for_the_arms_of_a_claim_only(reader):
    asked = {BASELINE, STUDY.augmentation("auto")}
    table = changes(STUDY, SEEDS[:1], reader, costly={"mp_soft_rank": asked})
    values = table.values["classifier"]["mp_soft_rank"]
    there = {arm.label for arm, (value,) in zip(table.arms, values) if value is not None}
    assert there == {"baseline", "auto"}


def test_arms_that_the_paper_shows_apart_have_groups_of_their_own():
    assert group_of(STUDY, STUDY.very_large) == "very large dropout"
    assert group_of(STUDY, STUDY.augmentation("cutmix")) == "further augmentation"
    coded = clip_world_as_coded()
    assert group_of(coded, coded.augmentation("noise5")) == "augmentation"
    assert group_of(coded, coded.alone("noise5", "once")) == "further augmentation"
    assert group_of(STUDY, STUDY.augmentation("auto")) == "augmentation"
    assert group_of(STUDY, STUDY.combination(*STUDY.combinations[0])) == "combination"


def test_doses_are_relative_and_decays_follow_the_logarithm(found):
    doses = {arm.label: arm.dose for arm in found.arms}
    assert doses["dropout 0.9 head"] == 1 and doses["baseline"] is None
    by_decay = [doses[arm.label] for _, arm in STUDY.decay()[1:]]
    # 1e-4 beside 1e-2
    assert (
        by_decay == sorted(by_decay) and by_decay[-1] == 1 and by_decay[0] == pytest.approx(1 / 3)
    )


def test_diversity_is_that_of_the_views_with_the_accuracy_that_came_of_it(reader):
    told = diversity(STUDY, SEEDS, reader)
    plain, auto, rand = told.arms[:3]
    assert (plain.label, plain.pixel, rand.embedding) == ("plain", (10.0,) * 3, (8.0,) * 3)
    assert auto.id == pytest.approx(plain.id + 0.05) and auto.ood is not None
    assert [(row.count, row.pixel[0]) for row in told.classes] == [
        (2, 8),
        (5, 9),
        (15, 10),
        (30, 9),
        (60, 8),
    ]
    assert diversity(STUDY, (7,), Reader(Store("/nowhere"))) is None
    unscored = msgspec.structs.replace(STUDY, view_size=0, class_view_size=0)
    assert diversity(unscored, SEEDS, reader) is None
    assert vendi(unscored, BASELINE, SEEDS, reader) == {}


def test_correlations_are_of_means_over_seeds():
    def arm(x: float, y: float) -> DiverseArm:
        return DiverseArm(label="", group="", pixel=(x - 1, x + 1), table=True, id=y)

    arms = [arm(x, y) for x, y in ((1, 1), (2, 4), (3, 9), (4, 16))]
    told = correlation(arms, "pixel", "id")
    assert told.spearman == pytest.approx(1)
    assert told.pearson == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 4, 9, 16])[0, 1])
    assert correlation(arms[:3], "pixel", "id") is None
    assert correlation([arm(x, 1) for x in (1, 2, 3, 4)], "pixel", "id") is None


def test_a_layers_curves_hold_all_of_its_eigenvalues(reader):
    told = densities(STUDY, SEEDS, reader)
    assert told.seed == 0 and [layer.kind for layer in told.layers] == [
        "linear",
        "linear",
        "conv-pooled",
        "linear",
    ]
    for layer in told.layers:
        curve = layer.after["linear"]
        inside = sum(curve["y"]) * curve["width"] * layer.after["n"]
        assert round(inside) + layer.after["beyond"] == layer.of == 60


# --- table 2 --------------------------------------------------------------------------------------


def test_the_papers_table_is_consistent():
    """Each mean out of domain is that of its four domains, as printed: so no number was mistyped.

    Source: v1 table 2.
    """
    numbers = accuracy.paper()
    assert len(numbers.rows) == 14 and len(numbers.columns) == 12
    for name, row in numbers.rows.items():
        by = dict(zip(numbers.columns, row))
        for kind, digit in (("accuracy", 1e-4), ("ece", 1e-2)):
            domains = [by[place, kind] for place in ("clipart", "infograph", "painting", "sketch")]
            assert by["ood", kind] == pytest.approx(np.mean(domains), abs=digit * 1.01), (
                name,
                kind,
            )
            assert all(0 < value < 1 for value in by.values())


@pytest.mark.parametrize(
    "arm, kind, place, value, delta",
    [
        (BASELINE, "accuracy", "id", 0.8527, None),
        (STUDY.augmentation("auto"), "accuracy", "ood", 0.5337, 0.0286),
        (STUDY.augmentation("augmix"), "ece", "sketch", 0.18, -0.04),
        (STUDY.augmentation("trivial"), "accuracy", "clipart", 0.6593, 0.0098),
        (STUDY.synthetic(0.15), "accuracy", "ood", 0.5413, 0.0362),
        (STUDY.synthetic(0.35), "ece", "ood", 0.17, -0.03),
    ],
)
def test_an_arm_finds_its_row_of_the_paper(arm, kind, place, value, delta):
    told = accuracy.printed(arm, kind, place)
    assert told == {
        "paper": pytest.approx(value),
        **({} if delta is None else {"paper_delta": pytest.approx(delta)}),
    }


@pytest.mark.parametrize(
    "arm",
    [
        STUDY.synthetic(0.5),
        STUDY.synthetic(0.15, round=2),
        STUDY.augmentation("cutmix"),
        STUDY.dropout()[1][1],
    ],
)
def test_what_the_paper_has_not_is_not_made_up(arm):
    assert (
        accuracy.printed(arm, "accuracy", "id")
        == {}
        == accuracy.printed(BASELINE, "accuracy", "a domain of ours")
    )


def test_the_table_is_of_means_and_paired_differences(reader):
    told = accuracy.table(STUDY, SEEDS, reader)
    rows = {row.arm: row.cells for row in told.rows}
    state = [reader.trained(trial(STUDY, BASELINE, seed)).after for seed in SEEDS]
    mean = np.mean([outcomes.value(Score("accuracy", "id"), one) for one in state])
    assert rows["baseline"][0].mean == pytest.approx(mean)
    assert rows["auto"][0].delta == pytest.approx(0.05) and rows["auto"][0].paper == 0.8503
    assert told.columns[:4] == ("in domain acc", "in domain ECE", "clipart acc", "clipart ECE")
    assert told.better[:2] == ("higher", "lower")
    assert "cutout" not in rows
    assert {"cutout", "dropout 0.1"} <= {row.arm for row in told.further}


# --- directions and statements --------------------------------------------------------------------


def planted(values: dict, seeds=(0, 1)) -> Changes:
    """A table of one metric: group -> its arms' values, one a seed."""
    arms = [(group, tuple(row)) for group, rows in values.items() for row in rows]
    return Changes(
        seeds=seeds,
        views=("classifier",),
        metrics=("alpha",),
        values={"classifier": {"alpha": tuple(row for _, row in arms)}},
        arms=tuple(ChangedArm(group, group) for group, _ in arms),
        layers=LayerChanges((), (), {}),
    )


def test_a_ladder_has_a_slope_and_a_group_a_mean():
    table = planted(
        {
            "baseline": [[1, 2]],
            "dropout": [[2, 2], [3, 2]],
            "augmentation": [[4, 2], [0, None]],
            "combination": [[None, None]],
        }
    )
    assert per_seed(table, "classifier", "alpha", "dropout") == {
        0: pytest.approx(1),
        1: pytest.approx(0),
    }
    assert per_seed(table, "classifier", "alpha", "augmentation") == {0: 1, 1: 0}
    assert lengths(table, "classifier", "alpha", "augmentation") == {0: 2, 1: 0}
    assert (
        per_seed(table, "classifier", "alpha", "combination")
        == per_seed(table, "encoder", "alpha", "dropout")
        == {}
    )
    assert list(
        per_seed(
            planted({"baseline": [[None, 2]], "dropout": [[1, 3]]}),
            "classifier",
            "alpha",
            "dropout",
        )
    ) == [1]


def drawn() -> list[Material]:
    return [
        material(random.Random(1), "vit", "clip vit", True),
        material(random.Random(2), "rn", "clip resnet", True),
        material(random.Random(3), "scratch", "resnet18", False),
    ]


def with_alpha(shown: Material, change) -> Material:
    """The material with `change` applied to every row of alpha, in every group of layers."""
    values = {
        layers: {**metrics, "alpha": tuple(map(change, metrics["alpha"]))}
        for layers, metrics in shown.changes.values.items()
    }
    changed = msgspec.structs.replace(shown.changes, values=values)
    return msgspec.structs.replace(shown, changes=changed)


def by_id(materials) -> dict[str, Picture]:
    return {picture.id: picture for picture in pictures(materials)}


def holds(picture: Picture, words: str, study: str = "vit") -> Compared | None:
    return next(row.here[study] for row in picture.rows if row.text == words)


def test_every_figure_and_table_of_the_paper_has_its_picture():
    ids = [picture.id for picture in paper()]
    assert {*(f"fig-{i}" for i in range(1, 13)), "table-1", "table-2"} <= set(ids) and len(
        ids
    ) == len(set(ids))
    assert [picture.id for picture in pictures([])] == ids
    assert not any(picture.studies or picture.missing for picture in pictures([]))


def test_statements_follow_the_signs_of_the_table():
    """The sample's arms go where their push says: dropout and augmentation move shape up and scale
    down, decay otherwise.
    """
    materials = drawn()
    shown = by_id(materials)
    assert holds(shown["fig-3"], "dropout raises alpha").holds is True
    assert holds(shown["fig-3"], "weight decay lowers alpha").holds is True
    assert holds(shown["fig-3"], "weight decay lowers the Frobenius norm").holds is False
    alike = holds(shown["fig-4"], "augmentation and dropout move alpha the same way")
    assert (alike.text, alike.seeds, alike.holds) == ("↑ ↑", "5/5", True)
    assert (
        holds(shown["fig-12"], "augmentation and weight decay move alpha opposite ways").holds
        is True
    )
    assert holds(shown["fig-8"], "very large dropout changes alpha more than dropout").holds is True
    upside_down = with_alpha(
        materials[0], lambda row: tuple(None if x is None else -x for x in row)
    )
    turned = by_id([upside_down, *materials[1:]])
    raised = holds(turned["fig-3"], "dropout raises alpha")
    assert raised.holds is False and raised.seeds == "0/5"
    assert holds(turned["fig-4"], "augmentation and dropout move alpha the same way").text == "↓ ↓"
    assert holds(turned["fig-3"], "dropout raises the matrix entropy").holds is True


def test_nothing_that_moves_is_neither_as_the_paper_nor_otherwise():
    shown = by_id([with_alpha(drawn()[0], lambda row: (5.0,) * 5)])
    assert holds(shown["fig-3"], "dropout raises alpha").holds is None
    assert holds(shown["fig-4"], "augmentation and dropout move alpha the same way").holds is None
    (rises, falls) = shown["table-1"].meanings[0].ways
    assert not any((*rises.went.values(), *falls.went.values()))


def test_figure_1_counts_ranks_and_finds_the_peak():
    shown = by_id(drawn())["fig-1"]
    assert holds(shown, "augmentation raises the pixel score").text == "10 of 10 raise it"
    assert holds(shown, "augmentation raises the embedding score").holds in (False, None)
    assert holds(shown, "auto-v3 raises the pixel score most").holds is True
    assert holds(shown, "auto-v3 raises the embedding score most").holds is False
    peak = holds(shown, "with more classes the pixel score rises first, then drops")
    assert (peak.text, peak.holds) == ("most at 10", True)
    assert (
        holds(shown, "with more classes the pixel score rises first, then drops", "scratch") is None
    )


def test_a_clip_resnet_has_figures_of_its_own_and_what_is_absent_is_said():
    shown = by_id(drawn())
    assert shown["fig-3"].studies == shown["fig-4"].studies == ("vit", "scratch")
    assert shown["fig-6"].studies == shown["fig-7"].studies == ("rn",)
    assert shown["fig-9"].studies == ("vit", "rn", "scratch")
    (extremes,), (classes,) = shown["fig-8"].missing, shown["fig-1"].missing
    assert extremes == "Not in the store for scratch: arms with very large dropout or combination."
    assert classes == "Not in the store for scratch: views with fewer classes."
    (tower,) = by_id(drawn()[:1])["fig-6"].missing
    assert tower == "No study of this run has a CLIP ResNet tower."
    bare = by_id([Material("alex", "mini-alexnet")])
    assert not any(picture.studies for picture in bare.values())
    assert all(picture.missing for picture in bare.values())


def test_table_1_puts_each_study_where_it_went():
    rises, falls = by_id(drawn())["table-1"].meanings[0].ways
    assert [went.study for went in rises.went["dropout"]] == ["vit", "rn", "scratch"]
    assert rises.paper == ("dropout",)
    assert [went.seeds for went in falls.went["weight decay"]] == ["5/5"] * 3
    assert not falls.went["dropout"]


# --- on the page ----------------------------------------------------------------------------------


def test_pictures_link_to_the_claims_of_the_run():
    claim = Claim(id="drop-alpha", findings=(Finding(study="vit", verdict="supported"),))
    materials = tuple(drawn())
    page = Page(claims=(claim,), materials=materials, pictures=pictures(materials))
    parsed = parse(page)
    assert len(parsed.all("details", class_="picture")) == len(paper())
    assert "#c-drop-alpha" in [a["href"] for a in parsed.all("a")]
    assert "wd-alpha (not in this run)" in parsed.text
    data = json.loads(parsed.scripts["data"])
    assert set(data["materials"]) == {"vit", "rn", "scratch"}
    assert "scores" not in data["materials"]["vit"]
    assert len(data["materials"]["vit"]["changes"]["arms"]) == len(ARMS) + 2
    cells = [
        cell
        for picture in page.pictures
        for row in picture.rows
        for cell in row.here.values()
        if cell
    ]
    assert parsed.text.count("not so here") == sum(cell.holds is False for cell in cells) > 10
    rows = [row for one in materials for row in one.scores.rows]
    printed = sum(cell is not None and cell.paper is not None for row in rows for cell in row.cells)
    assert len(parsed.all("span", class_="printed")) == printed > 100
