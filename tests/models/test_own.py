"""Models of a user's own: what a study file gives, what names it, and what is wrong with it in
clear words.
"""

import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from ddiv.common import own
from ddiv.common.digests import source_digest
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.models.build import absent_model, build
from ddiv.models.own import own_model
from ddiv.profiles.study_file import of_file
from ddiv.study import Digits, OwnModel, Recipe
from ddiv.treatment import BASELINE, Dropout, EvaluationDropout, Treatment
from ddiv.trial import Trial, canonical, decode, trial
from ddiv.trial.train import log_probabilities, train

CPU = torch.device("cpu")
NAMES = tuple("0123456789")
IMAGES = torch.randint(
    0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)

FILE = """
import torch
from torch import nn
from ddiv.models.own import own_model
from ddiv.study import Digits, Recipe, Study

CHANNELS = 8


class Encoder(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, CHANNELS, 3, stride=2), nn.Linear(CHANNELS, width)
        self.width, self.dropout_sites = width, (self.conv,)

    def forward(self, images):
        return self.fc(self.conv(images).relu().mean((2, 3))).relu()


def encoder(width=24):
    return Encoder(width)


EPOCHS = 2
STUDY = Study(
    name="own", title="An encoder of one's own", data=Digits(train=60, side=16),
    domains=("digits",), backbone=own_model(encoder, width=32),
    recipe=Recipe(epochs=EPOCHS, batch=20, lr=1e-2), dropout_rates=(0.2,))
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return of_file(path).studies[0]


def changed(tmp_path, old: str, new: str) -> OwnModel:
    assert FILE.count(old) == 1
    path = tmp_path / "changed.py"
    path.write_text(FILE.replace(old, new))
    return of_file(path).studies[0].backbone


def test_a_study_file_s_encoder_is_trained_and_every_layer_has_a_spectrum(study):
    asked = trial(study, Treatment.of(Dropout(0.2)), 0)
    assert decode(canonical(asked)) == asked
    record = train(asked, CPU)
    layers = {
        one["name"]: (one["kind"], one["view"], tuple(one["shape"]))
        for one in record.facts["layers"]
    }
    assert layers == {
        "encoder.conv.flat": ("conv-flat", "encoder", (27, 8, 1)),
        "encoder.fc": ("linear", "encoder", (32, 8, 1)),
        "encoder.conv.pooled": ("conv-pooled", "encoder", (8, 3, 9)),
        "head": ("linear", "classifier", (32, 10, 1)),
    }
    again = train(asked, CPU)
    assert all(np.array_equal(array, again.arrays[name]) for name, array in record.arrays.items())
    plain = train(trial(study, BASELINE, 0), CPU)
    assert np.array_equal(plain.arrays["eigenvalues/before"], record.arrays["eigenvalues/before"])
    assert not np.array_equal(plain.arrays["eigenvalues/after"], record.arrays["eigenvalues/after"])
    other = train(trial(study, BASELINE, 1), CPU)
    assert not np.array_equal(
        plain.arrays["eigenvalues/before"], other.arrays["eigenvalues/before"]
    )


def test_a_model_is_named_by_all_that_defines_it_and_by_nothing_else(study, tmp_path):
    plain = changed(tmp_path, "EPOCHS = 2", "EPOCHS = 2")
    assert plain == study.backbone and plain.name == "encoder" and plain.options == (("width", 32),)
    for old, new in [
        ("return Encoder(width)", "return Encoder(width).eval()"),
        ("CHANNELS = 8", "CHANNELS = 4"),
        (".relu().mean((2, 3))", ".tanh().mean((2, 3))"),
        ("import nn\n", "import nn as nn\n"),
    ]:
        assert changed(tmp_path, old, new).source != plain.source
    for old, new in [
        ("EPOCHS = 2", "EPOCHS = 3"),
        ('name="own"', 'name="renamed"'),
        ("\n\nclass", "\n\n# and\n\nclass"),
    ]:
        assert changed(tmp_path, old, new) == plain
    assert changed(tmp_path, "width=32", "width=16") != plain


def test_what_decorators_and_conditions_put_there_counts(tmp_path, monkeypatch):
    text = textwrap.dedent("""
        from functools import wraps
        if True:
            SIZE = 1
        SIZE += 1

        def logged(function):
            @wraps(function)
            def inner():
                return function()
            return inner

        @logged
        def encoder():
            return SIZE
        """)

    def digest(text: str) -> str:
        path = tmp_path / "decorated.py"
        path.write_text(text)
        space: dict = {}
        exec(compile(text, str(path), "exec"), space)
        return source_digest(space["encoder"])

    plain = digest(text)
    for old, new in [
        ("    SIZE = 1", "    SIZE = 3"),
        ("SIZE += 1", "SIZE += 2"),
        ("return function()", "return (function())"),
        ("@logged\n", "@logged  # twice\n"),
    ]:
        assert text.count(old) == 1 and digest(text.replace(old, new)) != plain
    assert digest(text + "\nOTHER = 1\n") == plain
    # Of a decorator from another file that hides the function, what it hides counts.
    kept = text.replace("@logged", "@cache").replace("import wraps", "import cache, wraps")
    assert digest(kept) != digest(kept.replace("return SIZE", "return -SIZE"))


CLASS = """
from torch import nn

from ddiv import Recipe, ResNet18, Study, own_model
from ddiv.study import Digits


class Base(nn.Module):
    def forward(self, images):
        return self.conv(images).relu().mean((2, 3))


class Net(Base):
    def __init__(self, width=8, strides: int = 2):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=strides)
        self.width, self.dropout_sites = width, (self.conv,)


STUDY = Study(
    name="own", title="A class", data=Digits(train=40, side=16), backbone=own_model(Net, width=6),
    recipe=Recipe(epochs=1, batch=20, lr=1e-2), dropout_rates=(0.2,))
"""


def test_a_class_is_a_model_as_a_function_is(tmp_path):
    (tmp_path / "mine.py").write_text(CLASS)
    study = of_file(tmp_path / "mine.py").studies[0]
    model = study.backbone
    assert (model.name, model.options, model.label) == ("Net", (("width", 6),), "Net(width=6)")
    record = train(trial(study, Treatment.of(Dropout(0.2)), 0), CPU)
    plain = train(trial(study, BASELINE, 0), CPU)
    shapes = {one["name"]: one["shape"][:2] for one in record.facts["layers"]}
    assert shapes["head"] == [10, 6] and shapes["encoder.conv.flat"] == [27, 6]
    assert record.facts["train_loss"] != plain.facts["train_loss"]
    (tmp_path / "mine.py").write_text(CLASS.replace("relu()", "tanh()"))
    assert of_file(tmp_path / "mine.py").studies[0].backbone.source != model.source
    (tmp_path / "mine.py").write_text(CLASS.replace("Net, width", "Net, wdith"))
    with pytest.raises(ValueError, match=r"called as Net\(wdith=6\), and cannot be: got an unexp"):
        of_file(tmp_path / "mine.py")


@pytest.mark.parametrize(
    "factory", [lambda: nn.Identity(), nn.Identity, len, "encoder", nn.Identity.forward]
)
def test_what_is_no_function_of_a_file_is_refused(factory):
    with pytest.raises(ValueError, match="by `def` or `class` at the top level of"):
        source_digest(factory)


def test_a_function_within_a_function_is_refused():
    def inner():
        return nn.Identity()

    with pytest.raises(ValueError, match=r"is defined within a function: .* at the top level of"):
        own_model(inner)


def given():
    return nn.Identity()


def test_options_are_text_or_numbers():
    with pytest.raises(
        ValueError, match="the option sizes of an own model is neither text nor number"
    ):
        own_model(given, sizes=[1, 2])


def test_a_model_that_no_study_file_registered_is_told_so(study):
    stored = OwnModel("encoder", "0" * 64)
    assert absent_model(study.backbone) is None
    assert absent_model(stored) == (
        "no study or claim file of this run defines the own model 'encoder' (000000000000...): "
        "give --study the file that does, unchanged"
    )
    with pytest.raises(NoModel, match="give --study the file"):
        build(stored, NAMES)


# --- what a factory may return --------------------------------------------------------------------


class Encoder(nn.Module):
    """One that does as it is told: `forward` gives (n, `gives`) whatever `width` promises."""

    def __init__(self, width=6, gives=6, **attributes):
        super().__init__()
        self.fc, self.width = nn.Linear(3 * 16 * 16, gives), width
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, images):
        return self.fc(images.flatten(1))


def network_of(monkeypatch, factory):
    spec = OwnModel("mine", "f" * 64)
    monkeypatch.setitem(own._things, ("own-model", spec.name, spec.source), factory)
    return build(spec, NAMES)


@torch.no_grad()
def test_pixels_are_normalised_as_the_encoder_says(monkeypatch):
    deviation = torch.tensor([1.0, 2.0, 4.0])
    network, sites = network_of(
        monkeypatch, lambda: Encoder(mean=(0.1, 0.2, 0.3), deviation=deviation)
    )
    expected = (IMAGES / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / deviation.view(
        3, 1, 1
    )
    torch.testing.assert_close(network.features(IMAGES), network.encoder.fc(expected.flatten(1)))
    plain, _ = network_of(monkeypatch, Encoder)
    torch.testing.assert_close(
        plain(IMAGES), plain.head(plain.encoder.fc((IMAGES / 255 * 4 - 2).flatten(1)))
    )
    assert sites.encoder == ()


@pytest.mark.parametrize(
    "factory, why",
    [
        (lambda: 1 / 0, "the own model mine raised ZeroDivisionError: division by zero"),
        (lambda width: None, "the own model mine raised TypeError"),
        (
            lambda: None,
            "to return, a torch.nn.Module whose attribute `width` .* got NoneType with width None",
        ),
        (lambda: nn.Linear(3, 3), "got Linear with width None"),
        (lambda: Encoder(width=0), "with width 0"),
        (lambda: Encoder(width="6"), "with width '6'"),
        (
            lambda: Encoder(dropout_sites=(nn.ReLU(),)),
            "dropout_sites of the own model mine have to be a tuple of modules of its encoder",
        ),
        (
            lambda: Encoder(mean=(0.5,)),
            "mean and deviation of the own model mine have to be three numbers",
        ),
        (lambda: Encoder(deviation=(0.5, 0.0, 1.0)), "no deviation 0"),
    ],
)
def test_a_factory_that_fails_or_gives_no_encoder_is_told_so(monkeypatch, factory, why):
    with pytest.raises(TrialFailed, match=why):
        network_of(monkeypatch, factory)


class Pair(Encoder):
    def forward(self, images):
        return images, images


@pytest.mark.parametrize(
    "factory, why",
    [
        (
            lambda: Encoder(gives=10),
            r"gives features of shape \(4, 10\) for 4 images,"
            r" where by its `width` they are \(4, 6\)",
        ),
        (lambda: Pair(), "gives features of type tuple for 4 images"),
        (lambda: nn.Sequential(nn.Conv2d(3, 6, 3)), None),
        (lambda: Encoder(side=32), "takes images of 32 x 32 pixels, the data has 16 x 16"),
        (
            lambda: Encoder(fc=nn.Linear(5, 6)),
            r"mine failed on images of shape \(4, 3, 16, 16\): RuntimeError: .*mat1 and mat2",
        ),
    ],
)
def test_features_of_a_wrong_shape_are_told_at_the_first_batch(monkeypatch, factory, why):
    def wide():
        encoder = factory()
        encoder.width = 6
        return encoder

    network, _ = network_of(monkeypatch, wide)
    with pytest.raises(TrialFailed, match=why or r"gives features of shape \(4, 6, 14, 14\)"):
        network(IMAGES)


class Large(Encoder):
    def forward(self, images):
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images)


def test_evaluation_goes_on_in_smaller_batches_without_memory(monkeypatch):
    network, _ = network_of(monkeypatch, Large)
    assert log_probabilities(network.eval(), IMAGES).shape == (4, len(NAMES))


def test_what_cannot_be_captured_is_not_the_model_s_fault(monkeypatch):
    network, _ = network_of(monkeypatch, lambda: Encoder(fc=nn.Linear(5, 6)))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        network(IMAGES)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    with pytest.raises(TrialFailed, match="the own model mine failed"):
        network(IMAGES)


def test_a_training_trial_tells_it_too(monkeypatch):
    spec = OwnModel("mine", "e" * 64)
    monkeypatch.setitem(
        own._things, ("own-model", spec.name, spec.source), lambda: Encoder(width=6, gives=7)
    )
    for treatment in (BASELINE, Treatment.of(EvaluationDropout(0.5))):
        with pytest.raises(TrialFailed, match=r"gives features of shape \(20, 7\)"):
            train(
                Trial(
                    Digits(train=60, side=16),
                    spec,
                    Recipe(epochs=1, batch=20, lr=1e-3),
                    treatment,
                    0,
                ),
                CPU,
            )
