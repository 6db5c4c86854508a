"""Views: the diversity of training sets, of few classes, and what lies outside the span of the real
images.
"""

import numpy as np
import pytest
import torch

from ddiv.common.draws import generator, permutation
from ddiv.common.errors import TrialFailed
from ddiv.data.load import load
from ddiv.diversity import alignment, vendi_score
from ddiv.diversity.weighted import DEFINITIONS
from ddiv.models.embedders import vectors
from ddiv.outcome import Coverage, Outside, Rho, Vendi, Weighted, definitions
from ddiv.study import Digits, World
from ddiv.treatment import (
    BASELINE,
    Added,
    Augmentation,
    Blurred,
    Classes,
    Filtered,
    Flow,
    Setting,
    Synthetic,
    Treatment,
)
from ddiv.trial import DataView, requires
from ddiv.trial.facts import HELD, NEIGHBOURS, ROW_ORDERS
from ddiv.trial.store import Record
from ddiv.trial.view import _reference, _seen, diversity, fitting_half, of_classes
from tests.support.claim_cases import WORLD

CPU = torch.device("cpu")
EMBEDDER = WORLD.embedders[0]
DATA = Digits(train=200, side=8)
SMALL = World(train_per_class=2, test_per_class=1, version=1)


def seen(treatment=BASELINE, data=DATA, n=200, seed=1000, records=None):
    return diversity(view(treatment, data, n, seed), CPU, records or {})


def view(treatment=BASELINE, data=DATA, n=200, seed=1000):
    return DataView(data, treatment, EMBEDDER, n, seed)


@pytest.fixture(scope="module")
def plain():
    return seen()


def test_a_view_holds_scores_and_energies_in_both_spaces(plain):
    facts = plain.facts
    pixels = load(DATA).inputs.reshape(200, -1) / 255
    assert facts["vendi"]["pixel"] == pytest.approx(vendi_score(pixels), rel=1e-9)
    assert set(facts["outside"]) == {
        Outside(space, held).key for space in ("pixel", "embedding") for held in HELD
    }
    assert Vendi("embedding", 2.0).key in facts["vendi"] and facts["settings"]["pixel"]["n"] == 200


def test_energies_outside_are_of_the_half_that_the_span_was_not_fitted_to(plain):
    """By hand, with scikit-learn's principal components."""
    from sklearn.decomposition import PCA

    data = load(DATA)
    rows = data.inputs.reshape(200, -1).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    half = fitting_half(data.labels)
    fitted = PCA(svd_solver="full").fit(rows[half])
    axes = fitted.components_[: int((fitted.explained_variance_ratio_.cumsum() < 0.9).sum()) + 1]
    centred = rows[~half] - fitted.mean_
    expected = 1 - ((centred @ axes.T) ** 2).sum() / (centred**2).sum()
    assert plain.facts["outside"][Outside("pixel", 0.9).key] == pytest.approx(expected, rel=1e-6)


def test_alignment_is_of_the_same_half_with_the_reference_and_falls_with_noise(plain):
    """Against `ddiv.diversity.weighted.alignment` on vectors made here; of a plain view nothing is
    misaligned.
    """
    data = load(DATA)
    half = fitting_half(data.labels)
    chosen = torch.randperm(200, generator=generator(view().draws, "view")).numpy()
    rows = vectors(data.inputs, "embedding", EMBEDDER, DATA, CPU).rows
    fresh = [place for place in chosen if not half[place]]
    assert set(plain.facts["alignment"]) == set(DEFINITIONS)
    for definition, given in (
        ("mmd", {}),
        ("coverage", {}),
        ("centroid", {"labels": data.labels[fresh], "original_labels": data.labels[half]}),
    ):
        expected = alignment(rows[fresh], rows[half], definition, **given).rho
        assert plain.facts["alignment"][definition] == pytest.approx(expected, abs=1e-4)
    arm = Treatment.of(Augmentation("noise50"))
    noisy = [seen(arm, seed=seed).facts["alignment"]["mmd"] for seed in range(1000, 1005)]
    assert plain.facts["alignment"]["mmd"] > 0.9 > np.mean(noisy)
    assert Weighted("recall").read(plain.facts) == pytest.approx(
        plain.facts["alignment"]["recall"] * plain.facts["vendi"]["embedding"]
    )
    with pytest.raises(ValueError, match="no alignment with the real data"):
        Weighted().read(seen(Treatment.of(Classes(2)), n=20).facts)


def test_rho_by_rows_goes_by_the_order_of_a_set_and_not_by_what_is_in_it(plain):
    """As v2's code has it: a set of real images of which a tenth are replaced by other real ones of
    their class is a stranger to the real set, and noise that keeps the order is not.
    """
    data = load(DATA)
    found = {order: Rho(order).read(plain.facts) for order in ROW_ORDERS}
    assert found["paired"] == found["paired-matched"] == pytest.approx(1, abs=1e-9)
    assert found["paired-shuffled"] < 0.9

    noisy = seen(Treatment.of(Augmentation("noise10"))).facts
    assert Rho("paired").read(noisy) == Rho("paired-matched").read(noisy) > 0.95
    assert Rho("paired-shuffled").read(noisy) < 0.9

    part = Synthetic(0.1, Flow(side=8, width=8, steps=1), Setting("good"))
    treatment = Treatment.of(part)
    (samples,) = requires(view(treatment))
    copies = Record(samples, {}, {"images": data.inputs, "labels": data.labels})
    mixed = seen(treatment, records={samples: copies}).facts
    assert Rho("paired-matched").read(mixed) > 0.95
    assert Rho("paired").read(mixed) == pytest.approx(found["paired-shuffled"], abs=0.03)
    assert Weighted("paired").read(mixed) == pytest.approx(
        Rho("paired").read(mixed) * Vendi("embedding").read(mixed)
    )


def test_rho_by_rows_is_the_cosine_of_the_matrices(plain):
    data, arm = load(DATA), Treatment.of(Augmentation("noise50"))
    chosen = torch.randperm(200, generator=generator(view().draws, "view")).numpy()
    real = vectors(data.inputs[chosen], "embedding", EMBEDDER, DATA, CPU).rows.astype(float)
    shown = vectors(_seen(view(arm), {}).inputs, "embedding", EMBEDDER, DATA, CPU).rows
    expected = (shown * real).sum() / np.linalg.norm(shown.astype(float)) / np.linalg.norm(real)
    assert Rho("paired").read(seen(arm).facts) == pytest.approx(expected, abs=1e-5)


def test_only_added_examples_are_compared_by_rows_as_coded():
    data, treatment = load(DATA), Treatment.of(Added(1.0, Flow(8, 8, 1), Setting("good")))
    (samples,) = requires(view(treatment))
    black = Record(samples, {}, {"images": 0 * data.inputs, "labels": data.labels})
    noise = np.random.default_rng(0).integers(0, 256, data.inputs.shape).astype(np.uint8)
    noisy = Record(samples, {}, {"images": noise, "labels": data.labels})
    found = [seen(treatment, records={samples: each}).facts for each in (black, noisy)]
    assert Rho("paired").read(found[0]) != pytest.approx(Rho("paired").read(found[1]), abs=0.02)
    for facts in found:
        assert Rho("paired-matched").read(facts) == pytest.approx(1, abs=1e-9)


def test_views_of_before_and_of_few_classes_have_no_rho_by_rows(plain):
    older = {name: facts for name, facts in plain.facts.items() if name != "rows"}
    assert Rho().read(older) == plain.facts["alignment"]["mmd"]
    for facts in (older, seen(Treatment.of(Classes(2)), n=20).facts):
        with pytest.raises(ValueError, match=r"no alignment with the real data: .* none by rows"):
            Weighted("paired").read(facts)
    assert [rho.definition for rho in definitions(Weighted())] == [*DEFINITIONS]
    first, *others = definitions(Rho("paired-matched"))
    assert first == Rho("paired-matched") and others == []


def test_noise_leaves_the_span_and_a_copy_of_the_real_images_does_not(plain):
    key = Outside("pixel").key
    noisy = seen(Treatment.of(Augmentation("noise50"))).facts["outside"][key]
    part = Synthetic(1.0, Flow(side=8, width=8, steps=1), Setting("good"))
    treatment, data = Treatment.of(part), load(DATA)
    (samples,) = requires(view(treatment))

    def synthetic(images):
        found = Record(samples, {}, {"images": images, "labels": data.labels})
        return seen(treatment, records={samples: found}).facts["outside"][key]

    noise = np.random.default_rng(0).integers(0, 256, data.inputs.shape).astype(np.uint8)
    assert noisy > plain.facts["outside"][key] + 0.1 and synthetic(noise) > 0.6
    # The fitting half's images wherever: inside but for the 5 % that the span leaves of them.
    half = fitting_half(data.labels)
    inside = data.inputs.copy()
    for label in np.unique(data.labels):
        own = np.flatnonzero(data.labels == label)
        inside[own] = np.resize(data.inputs[own[half[own]]], data.inputs[own].shape)
    assert synthetic(inside) < 0.07 < synthetic(noise)


def test_coverage_is_of_the_test_set_of_the_training_domain(plain):
    """By hand, with scikit-learn's neighbours; noise, whose energy is outside, covers nothing."""
    from sklearn.neighbors import NearestNeighbors

    def unit(images):
        rows = images.reshape(len(images), -1).astype(float)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    data = load(DATA)
    tests, _ = next(iter(data.tests.values()))
    chosen = permutation(len(tests), generator(0, "held out"))[:200]
    held_out, rows = unit(tests[chosen]), unit(data.inputs)
    nearest, _ = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(held_out)
    among, _ = NearestNeighbors(n_neighbors=6).fit(held_out).kneighbors(held_out)
    for k in NEIGHBOURS:
        expected = np.mean(nearest[:, 0] < among[:, k])
        assert Coverage("pixel", k).read(plain.facts) == pytest.approx(expected, abs=0.01)
        assert Coverage("embedding", k).key in plain.facts["coverage"]
    noisy = seen(Treatment.of(Augmentation("noise50")))
    for space in ("pixel", "embedding"):
        assert Coverage(space).read(plain.facts) > 0.7 > Coverage(space).read(noisy.facts)
    assert Coverage("pixel", embedder=1).key == Coverage("pixel").key
    with pytest.raises(ValueError, match="no coverage"):
        Coverage("pixel").read(seen(Treatment.of(Classes(2)), n=20).facts)


def test_added_examples_are_seen_and_are_no_part_of_the_reference():
    data = load(DATA)
    treatment = Treatment.of(Added(1.0, Flow(side=8, width=8, steps=1), Setting("good")))
    asked = view(treatment)
    (samples,) = requires(asked)
    noise = np.random.default_rng(0).integers(0, 256, data.inputs.shape).astype(np.uint8)
    records = {samples: Record(samples, {}, {"images": noise, "labels": data.labels})}
    found = _seen(asked, records)
    drawn = {image.tobytes() for image in noise}
    synthetic = np.array([image.tobytes() in drawn for image in found.inputs])
    assert 0.3 < synthetic.mean() < 0.7 and found.fresh[synthetic].all()
    assert 0.3 < found.fresh[~synthetic].mean() < 0.7


def test_examples_that_a_filter_leaves_out_move_no_other_into_or_out_of_the_reference():
    data = load(DATA)
    part = Filtered(0.5, Flow(side=8, width=8, steps=1), Setting("good"), kept=0.5)
    asked = view(Treatment.of(part), n=60)
    (samples,) = requires(asked)
    noise = np.random.default_rng(0).integers(0, 256, data.inputs.shape).astype(np.uint8)
    records = {samples: Record(samples, {}, {"images": noise, "labels": data.labels})}
    found = _seen(asked, records)
    reference = {image.tobytes() for image in data.inputs[fitting_half(data.labels)]}
    of_reference = np.array([image.tobytes() in reference for image in found.inputs])
    assert 0 < of_reference.mean() < 1 and np.array_equal(found.fresh, ~of_reference)


def test_blurred_images_are_compared_at_the_same_places():
    wide = Digits(train=60, side=16)
    blurred = _seen(view(Treatment.of(Blurred(side=4)), wide, 60), {})
    sharp = _seen(view(BASELINE, wide, 60), {})
    assert np.array_equal(blurred.fresh, sharp.fresh)
    assert np.array_equal(blurred.labels, sharp.labels)
    assert not np.array_equal(blurred.inputs, sharp.inputs)


def test_a_view_on_the_processor_leaves_a_gpu_alone(plain, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    facts = seen().facts
    assert facts["vendi"] == plain.facts["vendi"] and facts["alignment"] == plain.facts["alignment"]


def test_half_of_every_class_fits_the_span():
    labels = np.array([0, 1, 0, 1, 1, 0, 2])
    assert fitting_half(labels).tolist() == [True, True, False, False, True, True, True]


@pytest.mark.parametrize("data, n", [(SMALL, 120), (DATA, 12)])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_classes_have_as_many_images_in_equal_parts(data, n, count):
    shown = of_classes(data, count, n // count * count, draws=1000)
    labels, sizes = np.unique(shown.labels, return_counts=True)
    assert len(labels) == count and len(set(sizes)) == 1 and sizes.sum() == n // count * count
    assert len(np.unique(shown.inputs.reshape(len(shown.inputs), -1), axis=0)) > 0.9 * len(
        shown.inputs
    )
    assert len(of_classes(data, 7, n, 1000).inputs) == n


def test_classes_are_drawn_and_a_count_of_all_is_the_training_set():
    drawn = {
        tuple(np.unique(of_classes(SMALL, 3, 30, draws).labels)) for draws in range(1000, 1010)
    }
    assert len(drawn) > 5
    everything, data = of_classes(SMALL, 60, 120, 1000), load(SMALL)
    assert np.array_equal(everything.inputs, data.inputs) and np.array_equal(
        everything.labels, data.labels
    )
    once, again = (of_classes(DATA, 3, 30, 1000).inputs for _ in range(2))
    assert np.array_equal(once, again)


def test_images_of_few_classes_are_training_images_of_these_classes():
    shown, data = of_classes(DATA, 3, 30, 1000), load(DATA)
    known = {image.tobytes(): int(label) for image, label in zip(data.inputs, data.labels)}
    assert [known[image.tobytes()] for image in shown.inputs] == shown.labels.tolist()


def test_a_view_of_few_classes_is_less_diverse_and_has_no_energy_outside():
    few, many = (seen(Treatment.of(Classes(count)), n=12).facts for count in (1, 10))
    assert (
        few["vendi"]["pixel"] < many["vendi"]["pixel"]
        and few["vendi"]["embedding"] < many["vendi"]["embedding"]
    )
    assert few["outside"] == {}


@pytest.mark.parametrize(
    "ask, said",
    [
        (lambda: of_classes(DATA, 11, 30, 0), "11 classes were asked for, and the data has 10"),
        (lambda: of_classes(SMALL, 61, 61, 0), "61 classes were asked for, and the data has 60"),
        (lambda: of_classes(DATA, 1, 100, 0), "100 training examples of the class .* are needed"),
        (lambda: seen(n=201), "a view of 201 examples was asked for"),
    ],
)
def test_what_the_data_cannot_give_is_an_error_that_says_so(ask, said):
    with pytest.raises(TrialFailed, match=said):
        ask()


def test_the_span_of_a_data_set_is_fitted_once():
    assert _reference(DATA, "pixel", EMBEDDER, CPU) is _reference(DATA, "pixel", EMBEDDER, CPU)
