"""Texts through the same machinery as images: what reads them, a trained BERT, a generator and its
samples, a view.
"""

import msgspec
import numpy as np
import pytest
import torch

from ddiv import outcome
from ddiv.common.draws import generator
from ddiv.common.texts import are_texts
from ddiv.data.load import load
from ddiv.models.build import build
from ddiv.models.embedders import vectors
from ddiv.outcome import Outside, Spectral, Weighted
from ddiv.profiles import studies
from ddiv.study import ComplaintsWorld, Digits, Lsa, MiniAlexNet
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    Classes,
    Dropout,
    EvaluationDropout,
    NGram,
    NoOp,
    Setting,
    Synthetic,
    Treatment,
)
from ddiv.treatment.augment import augmented
from ddiv.trial import DataView, GeneratorFit, Samples, requires, trial
from ddiv.trial.facts import samples_of
from ddiv.trial.inputs import tensor
from ddiv.trial.measure import measure

CPU = torch.device("cpu")
WHOLE = studies.bert_complaints()
DATA = ComplaintsWorld(train_per_class=2, test_per_class=3, version=1)
STUDY = msgspec.structs.replace(
    WHOLE, data=DATA, recipe=msgspec.structs.replace(WHOLE.recipe, epochs=2, checkpoints=(0, 1, 2))
)
MIXED = Treatment.of(Synthetic(0.5, NGram(3), Setting("variations", variant="variations")))


def measured(job, records=None):
    return measure(job, records or {}, "cpu", lambda share: None)


@pytest.fixture(scope="module")
def samples():
    """The records of the samples that MIXED reads at seed 1000, with the fit that they were drawn
    from.
    """
    (drawn,) = requires(trial(STUDY, MIXED, 1000))
    (fitted,) = requires(drawn)
    records = {fitted: measured(fitted)}
    return records | {drawn: measured(drawn, records)}


@pytest.fixture(scope="module")
def baseline():
    return measured(trial(STUDY, BASELINE, 1000))


def test_what_reads_images_refuses_texts_and_the_other_way_round():
    texts, images = load(DATA).inputs, load(Digits(100)).inputs
    assert are_texts(texts) and not are_texts(images)
    with pytest.raises(ValueError, match="Bert does not read images"):
        tensor(images, STUDY.backbone)
    with pytest.raises(ValueError, match="MiniAlexNet does not read texts"):
        tensor(texts, MiniAlexNet(4, 8))
    for inputs, embedder in (
        (texts, studies.clip()),
        (images, STUDY.embedders[0]),
        (images, Lsa(4)),
    ):
        with pytest.raises(ValueError, match="does not read"):
            vectors(inputs, "embedding", embedder, DATA, CPU)
    with pytest.raises(ValueError, match=r"unknown|there is no"):
        augmented("auto", texts, generator(0, "augmentation"))


def test_a_bert_is_trained_and_measured_as_every_backbone_is(baseline):
    facts = baseline.facts
    views = {layer["view"] for layer in facts["layers"]}
    assert views == {"classifier", "encoder", "embedding"}
    assert {layer["kind"] for layer in facts["layers"] if layer["view"] == "encoder"} == {
        "q",
        "k",
        "v",
        "out",
        "mlp",
        "linear",
    }
    assert all(
        layer["view"] == "embedding" for layer in facts["layers"] if layer["kind"] == "embedding"
    )
    assert facts["train_loss"][-1] < facts["train_loss"][0] and facts["domains"] == [
        "letter",
        "phone",
        "terse",
        "typos",
    ]
    state = outcome.read(baseline).after
    assert (
        len(state.layers(Spectral("alpha", "attention-q")))
        == 2
        == len(state.layers(Spectral("alpha", "attention-out")))
    )
    assert state.names(Spectral("alpha", "feed-forward"))[0].startswith(
        "encoder.bert.encoder.layer.0.intermediate"
    )
    again = measured(trial(STUDY, BASELINE, 1000))
    assert all(np.array_equal(array, again.arrays[name]) for name, array in baseline.arrays.items())


def test_dropout_acts_on_states_and_attention_in_training_and_at_evaluation_on_states_alone():
    ids = tensor(load(DATA).inputs[:4], STUDY.backbone)

    def outputs(part, training):
        torch.manual_seed(0)
        network, sites = build(STUDY.backbone, load(DATA).classes)
        if part:
            part.network(network, sites)
        network.train(training)
        return network.encoder(ids), [module.p for module in sites.attention]

    plain, rates = outputs(None, True)
    assert rates == [0.0, 0.0] and torch.equal(plain, outputs(None, False)[0])
    dropped, rates = outputs(Dropout(0.5), True)
    assert rates == [0.5, 0.5] and not torch.allclose(dropped, plain)
    assert torch.equal(outputs(Dropout(0.5), False)[0], plain) and torch.equal(
        outputs(Dropout(0.5, "head"), True)[0], plain
    )
    late, rates = outputs(EvaluationDropout(0.5), False)
    assert rates == [0.0, 0.0] and not torch.allclose(late, plain)
    assert torch.equal(outputs(EvaluationDropout(0.5), True)[0], plain)


@pytest.mark.parametrize(
    "treatment",
    [Treatment.of(Augmentation("eda30")), Treatment.of(Dropout(0.2)), Treatment.of(NoOp())],
    ids=lambda one: one.label,
)
def test_arms_of_texts_start_equal_and_end_apart(baseline, treatment):
    arm = measured(trial(STUDY, treatment, 1000))
    assert np.array_equal(arm.arrays["eigenvalues/before"], baseline.arrays["eigenvalues/before"])
    assert not np.allclose(arm.arrays["eigenvalues/after"], baseline.arrays["eigenvalues/after"])


def test_samples_are_texts_of_the_same_classes_and_take_the_place_of_half_the_real_ones(
    samples, baseline
):
    data = load(DATA)
    record = next(record for job, record in samples.items() if isinstance(job, Samples))
    drawn = samples_of(record)
    assert (
        np.array_equal(drawn.labels, data.labels)
        and are_texts(drawn.inputs)
        and len(drawn.inputs) == len(data.inputs)
    )
    assert not set(drawn.inputs) <= set(data.inputs) and set(record.facts["quality"]) >= {
        "accuracy",
        "vendi/embedding",
        "copied",
    }
    arm = measured(trial(STUDY, MIXED, 1000), samples)
    assert not np.allclose(arm.arrays["eigenvalues/after"], baseline.arrays["eigenvalues/after"])


def test_a_later_round_is_fitted_to_samples_and_not_to_real_texts(samples):
    first = next(job for job in samples if isinstance(job, Samples))
    later = GeneratorFit(first.data, first.generator, first.setting, 2, 1000, STUDY.name)
    assert requires(later) == (first,)
    own, refitted = (
        next(record for job, record in samples.items() if isinstance(job, GeneratorFit)),
        measured(later, samples),
    )
    assert own.arrays["unigram"].shape != refitted.arrays["unigram"].shape or not np.array_equal(
        own.arrays["unigram"], refitted.arrays["unigram"]
    )


def test_a_view_of_texts_has_embeddings_alone(samples):
    drawn = STUDY.data_of(1000)
    view = DataView(drawn, MIXED, STUDY.embedders[0], 120, 1000, STUDY.name)
    facts = measured(view, samples).facts
    assert set(facts["settings"]) == {"embedding"} and facts["settings"]["embedding"][
        "embedder"
    ].startswith("bert ")
    assert (
        Outside("embedding").key in facts["outside"]
        and 0 < Weighted().read(facts) <= facts["vendi"]["embedding"]
    )
    few = measured(msgspec.structs.replace(view, treatment=Treatment.of(Classes(2)))).facts
    assert few["alignment"] == {} and few["settings"]["embedding"]["n"] == 120


def test_latent_semantic_analysis_is_that_of_scikit_learn():
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = load(DATA).inputs
    table = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2).fit_transform(texts)
    expected = TruncatedSVD(5, algorithm="arpack").fit_transform(table)
    rows = vectors(texts, "embedding", Lsa(5), DATA, CPU).rows
    assert rows @ rows.T == pytest.approx(expected @ expected.T, abs=1e-6)
