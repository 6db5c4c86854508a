"""The authors' published tables: names of files, derived figures, and what is missing without them.

Of a checkout of their repository, where $DDIV_AUTHORS names one, everything is derived anew. The
figures that are shipped are held against the tidied tables where these lie beside the project.
"""

import csv
import gzip
import os
import re
import statistics
from collections import defaultdict
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.stats import binomtest

from ddiv.data.tables import absent_tables, arm_layers
from ddiv.outcome import spectral_columns
from ddiv.profiles import authors
from ddiv.profiles.choose import profile
from ddiv.report.published import answers, effects
from ddiv.report.published.derive import answered, answers_text, effects_text
from ddiv.treatment import Dropout, WeightDecay
from ddiv.treatment.names import AUGMENTATIONS
from ddiv.trial.store import Store
from tests.support.claims_run import claims
from tests.support.paths import ROOT

CHECKOUT = os.environ.get("DDIV_AUTHORS", "")

SHARED = Path(os.environ.get("DDIV_SHARED", ROOT.parent / "shared")) / "data" / "authors"

of_checkout = pytest.mark.skipif(
    not CHECKOUT, reason=f"$DDIV_AUTHORS names no checkout of {authors.REPOSITORY}"
)
of_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"there are no tidied tables in {SHARED}"
)

# Bars that the authors' plotting notebooks show, by study and part: family -> alpha, log norm. The
# part "all" is the mean over all matrices that moved, with the classification layer.
BARS = {
    ("vit-cifar10", "all"): {
        "augmentation": (-0.177627, 0.000354),
        "dropout": (-0.113114, 0.0000097),
        "weight decay": (-0.385699, -0.083062),
    },
    ("vit-cifar10", "classifier"): {
        "augmentation": (-5.923786, -0.007871),
        "dropout": (-3.625376, -0.000765),
        "weight decay": (-5.684765, -0.002313),
    },
    ("vit-cars", "all"): {
        "augmentation": (-0.057917, -0.000249),
        "dropout": (0.027731, -0.000352),
        "weight decay": (0.018583, -0.017047),
    },
    ("resnet18-cifar10", "all"): {
        "augmentation": (1.734430, -0.002202),
        "dropout": (-3.048782, -0.007003),
        "weight decay": (-0.159199, -0.030422),
    },
    ("bert-complaints", "all"): {
        "augmentation": (-0.012507, 0.0000113),
        "dropout": (-0.015899, -0.0000151),
        "weight decay": (-0.062758, -0.019232),
    },
}


def sets():
    (study,) = authors.studies(with_repeats=True)
    return {one.label: one for one in study.data.sets}


def test_ten_studies_of_one_run_an_arm():
    (study,) = profile("authors").studies
    labels = [one.label for one in study.data.sets]
    assert len(labels) == 10 and labels[-1] == "bert-complaints"
    assert study.dropout_rates == (0.1, 0.3, 0.5, 0.7) and len(study.decays) == 6
    assert study.augmentations == AUGMENTATIONS and study.fixed_sample
    arms = {one.label: sum(arm.has_spectra for arm in one.arms) for one in study.data.sets}
    assert arms == dict.fromkeys(labels[:-1], 21) | {"rn50-domainnet": 11, "bert-complaints": 37}
    assert sum(arms.values()) + 10 == 226  # pairs of tables, with the ten repeats


def test_without_the_checkout_one_line_says_what_is_missing(tmp_path):
    done = claims(tmp_path, "--profile", "authors", "--data-root", str(tmp_path), "-q")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # At the start and at the end.
    told = sorted({line for line in done.stdout.splitlines() if line.startswith("Left out")})
    assert len(told) == 1, done.stdout[-2000:]
    assert "git clone" in told[0] and authors.REPOSITORY in told[0] and "--data-root" in told[0]


def test_a_table_of_scores_of_another_shape_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    (tmp_path / "cf10-rn").mkdir()
    (tmp_path / "cf10-rn" / "acc_fl.csv").write_text("bs,0.1\n1.0\n")
    with pytest.raises(ValueError, match=r"acc_fl\.csv is no row of scores .* check out commit"):
        authors.studies()


# --- what is shipped ------------------------------------------------------------------------------


def test_shipped_figures_are_small_and_say_where_they_are_from():
    size = effects.FILE.stat().st_size + answers.FILE.stat().st_size
    assert size < 300_000
    shipped = answers.shipped()
    assert (shipped.source, shipped.commit) == (authors.REPOSITORY, authors.COMMIT)
    assert "ddiv.report.published.derive" in shipped.command
    rows = effects.shipped()
    assert len({row.study for row in rows}) == 10 and len(rows) == 3 * 216


def slope_signs(metric, part, kind, doses):
    """Of each study the sign of the slope of an effect over the ranks of doses, the baseline 0."""
    table = {
        (row.study, row.arm): row.effects[metric] for row in effects.shipped() if row.part == part
    }
    labels = [kind(dose) for dose in doses]
    signs = []
    for study in dict.fromkeys(row.study for row in effects.shipped()):
        values = np.array([0.0, *(table[study, label] for label in labels)])
        signs.append(np.sign((np.arange(len(values)) - (len(values) - 1) / 2) @ values))
    return signs


@pytest.mark.parametrize(
    "claim, metric, want",
    [
        ("drop-entropy", "entropy_normalised", 1),
        ("drop-frobenius", "frobenius_norm", -1),
        ("drop-spectral", "spectral_norm", -1),
        ("wd-entropy", "entropy_normalised", -1),
        ("wd-frobenius", "frobenius_norm", -1),
        ("wd-spectral", "spectral_norm", -1),
    ],
)
@pytest.mark.parametrize("part", ["classifier", "encoder"])
def test_shipped_answers_follow_from_the_shipped_effects(claim, metric, want, part):
    if claim.startswith("drop"):
        signs = slope_signs(metric, part, lambda rate: Dropout(rate).label, authors.RATES)
    else:
        signs = slope_signs(metric, part, lambda by: WeightDecay(by).label, authors.DECAYS)
    (answer,) = [
        one for one in answers.shipped().answers if (one.claim, one.variant) == (claim, part)
    ]
    assert answer.of == 10 and answer.agree == sum(sign == want for sign in signs)
    assert answer.p == pytest.approx(binomtest(answer.agree, 10).pvalue, rel=1e-2)


def test_no_answer_holds_a_value_of_a_table_as_it_stands():
    for one in answers.shipped().answers:
        if one.claim == "clf-tail-after-finetune" and one.variant != "falls":
            assert not one.effects and one.of


@cache
def tidied():
    """The change of each metric by training, layer by layer: study -> arm -> part -> columns."""
    states = defaultdict(dict)
    with gzip.open(SHARED / "layers.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            arm = row["family"], row["arm"], float(row["dose"] or 0)
            place = row["study"], arm, row["part"], row["layer_name"]
            states[place][row["when"]] = row
    return states


@of_shared
def test_shipped_effects_are_those_of_the_tidied_tables():
    parts = {"head": "classifier", "pooler": "classifier", "vision": "encoder"}
    parts |= {"backbone": "encoder", "encoder": "encoder"}
    names = {"alpha": "alpha", "entropy_normalised": "entropy", "log_norm": "log_norm"}
    names |= {"log_spectral_norm": "log_spectral_norm", "num_pl_spikes": "num_pl_spikes"}
    changes = defaultdict(dict)
    for (study, arm, part, layer), when in tidied().items():
        if part in parts:
            changes[study, arm, parts[part]][layer] = {
                name: float(when["after"][theirs]) - float(when["before"][theirs])
                for name, theirs in names.items()
            }
    compared = 0
    for row in effects.shipped():
        arm = tidied_arm(row.arm)
        part, _, over = row.part.partition(", ")
        after = changes[row.study, arm, part]
        base = changes[row.study, ("baseline", "baseline", 0.0), part]
        mean = statistics.median if over else statistics.fmean
        for name in names:
            told = mean([after[layer][name] - base[layer][name] for layer in base])
            assert row.effects[name] == pytest.approx(told, rel=2e-3, abs=2e-6), (row, name)
            compared += 1
    assert compared == 3 * 216 * 5


def tidied_arm(label):
    """What the tidied tables call an arm of this label."""
    kind, *rest = label.split()
    if kind == "dropout":
        return "dropout", "dropout", float(rest[0])
    if kind == "decay":
        return "decay", "decay", float(rest[0])
    if label in AUGMENTATIONS:
        return "augmentation", label, 0.0
    texts = {name: called for name, called in authors.TEXTS.items() if label.startswith(name)}
    if texts:
        ((name, called),) = texts.items()
        return "text-augmentation", called, int(label.removeprefix(name)) / 100
    share = int(re.search(r"(\d+)%", label)[1]) / 100
    return "synthetic", re.search(r"\((\w+)\)", label)[1], share


# --- a checkout -----------------------------------------------------------------------------------


@pytest.fixture
def checkout(monkeypatch):
    monkeypatch.setenv("DDIV_DATA", CHECKOUT)


@of_checkout
def test_shipped_effects_are_derived_again(checkout):
    assert absent_tables(authors.studies()[0].data) is None
    assert effects_text() == effects.FILE.read_text()


def changes(one, arm):
    """The changes of an arm by training in all matrices that any arm moves, by metric."""
    layers = arm_layers(one, arm)
    columns = spectral_columns(layers.matrices, layers.columns)
    views = np.array([matrix["view"] for matrix in layers.matrices])
    return {name: column[1] - column[0] for name, column in columns.items()}, views


@of_checkout
@pytest.mark.parametrize("study, part", BARS)
def test_bars_of_the_plotting_notebooks_are_reproduced(checkout, study, part):
    # All that trains: of CLIP not the text tower, of BERT the embeddings too.
    one = msgspec.structs.replace(
        sets()[study], encoder=("*",), without=("clip_model.transformer.*", "*token_embedding")
    )
    base, views = changes(one, next(arm for arm in one.arms if arm.treatment.is_baseline))
    mask = views == "classifier" if part == "classifier" else np.ones(len(views), bool)
    for family, bars in BARS[study, part].items():
        arms = [arm for arm in one.arms if arm.treatment.group == family and arm.has_spectra]
        for metric, bar in zip(("alpha", "log_norm"), bars):
            each = [(changes(one, arm)[0][metric] - base[metric])[mask].mean() for arm in arms]
            assert np.mean(each) == pytest.approx(bar, rel=2e-3, abs=2e-7), (family, metric)


@of_checkout
def test_claims_on_the_checkout_come_to_the_shipped_answers(tmp_path):
    done = claims(tmp_path, "--profile", "authors", "--data-root", CHECKOUT, "-q")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert answers_text(answered(Store(tmp_path / "store"))) == answers.FILE.read_bytes()
