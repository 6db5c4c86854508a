"""A user's own studies, from a file."""

import pytest

from ddiv.finding import Reader
from ddiv.profiles.choose import PROFILES, profile
from ddiv.profiles.study_file import BadStudyFile, of_file
from ddiv.report.gather import study_card
from ddiv.study import Digits, Recipe, ResNet18, Study
from ddiv.trial.store import Store
from tests.support.claims_run import claims
from tests.support.image_files import flat
from tests.support.paths import ROOT

DEFINING = "from ddiv.profiles.choose import profile\n{name} = profile('smoke').studies{index}\n"


@pytest.mark.parametrize("name, index", [("STUDY", "[0]"), ("STUDIES", "")])
def test_a_file_defines_one_study_or_several(tmp_path, name, index):
    (tmp_path / "mine.py").write_text(DEFINING.format(name=name, index=index))
    found = of_file(tmp_path / "mine.py")
    assert (
        found.studies == profile("smoke").studies
        and found.name == "mine"
        and found.seeds < found.max_seeds
    )


TABLE = """
name = "mine"
title = "A ResNet-18 on digits"
domains = ["digits"]
dropout_rates = [0.1, 0.3]
data = {type = "digits", train = 120}
backbone = {type = "resnet18", width = 4}
recipe = {epochs = 1, batch = 40, lr = 5e-3}
"""


def test_a_toml_file_is_one_study_or_several(tmp_path):
    mine = Study(
        "mine",
        "A ResNet-18 on digits",
        Digits(120),
        ResNet18(4),
        Recipe(1, 40, 5e-3),
        ("digits",),
        dropout_rates=(0.1, 0.3),
    )
    (tmp_path / "one.toml").write_text(TABLE)
    (tmp_path / "two.toml").write_text(
        f"[[studies]]{TABLE}[[studies]]{TABLE.replace('mine', 'other')}"
    )
    assert of_file(tmp_path / "one.toml").studies == (mine,)
    assert [study.name for study in of_file(tmp_path / "two.toml").studies] == ["mine", "other"]
    (tmp_path / "bad.toml").write_text(TABLE.replace("resnet18", "resnet19"))
    with pytest.raises(BadStudyFile, match=r"bad.toml cannot be used: .*resnet19"):
        of_file(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    "text, said",
    [
        (None, "there is no file"),
        ("STUDY = 3", "neither STUDY, a ddiv.study.Study"),
        ("", "neither STUDY"),
        ("STUDIES = ()", "neither"),
        (f"{DEFINING.format(name='study', index='[0]')}", "rename `study`, which is one"),
        ("from ddiv.study import Resnet18", "did you mean 'ResNet18'"),
        ("1 / 0", "cannot be used: ZeroDivisionError"),
        ("import nothing_of_this_name", "cannot be used: ModuleNotFoundError"),
    ],
)
def test_a_file_that_defines_none_is_an_error_that_says_why(tmp_path, text, said):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadStudyFile, match=said):
        of_file(tmp_path / "mine.py")


def test_a_study_of_real_complaints_can_be_described_without_its_file(tmp_path):
    (study,) = of_file(ROOT / "benchmarks" / "complaints_study.py").studies
    facts = dict(study_card(study, [], Reader(Store(tmp_path))).facts)
    assert (
        facts["label"] == "product"
        and facts["epochs"] == "4"
        and facts["digest"] == f"{study.data.digest[:12]}..."
    )


STATED = """
from ddiv.treatment import Flow, NGram, Setting
from ddiv.study import Bert, ComplaintsWorld, Digits, Images, Lsa, Recipe, ResNet18, Study
GIVEN = dict(name="mine", title="mine", data=Digits(120), backbone=ResNet18(4),
             domains=("digits",), dropout_rates=(0.1, 0.3))
RECIPE = dict(epochs=2, batch=40, lr=5e-3)
STUDY = Study(**GIVEN | dict({given}), recipe=Recipe(**RECIPE | dict({recipe})))
"""


@pytest.mark.parametrize(
    "given, recipe, said",
    [
        ("augmentation=('auto',)", "", "did you mean 'augmentations'?"),
        ("augmentations=('autoo',)", "", "unknown augmentation 'autoo'; known: auto,.*mixup"),
        ("augmentations='auto'", "", "`augmentations` of Study is a tuple, got 'auto'"),
        ("dropout_rates=0.1", "", "`dropout_rates` of Study is a tuple, got 0.1"),
        ("dropout_rates=(0.1, 1.5)", "", "a dropout rate lies in"),
        ("dropout_rates=(0.3, 0.1)", "", "`dropout_rates` has to rise"),
        ("decays=(0.0, 0.1)", "", "`decays` has to rise from above 0"),
        ("extreme_augmentations=('auto',)", "", "some of the `augmentations`, got auto"),
        ("settings=(Setting('good'),)", "", "`shares` holds"),
        ("", "epochs=0", "1 epoch or more"),
        ("", "batch=0", "of batches of 1 or more"),
        ("", "lr=0.0", "a learning rate is above 0"),
        ("", "checkpoints=(0, 3)", "checkpoints lie between 0 and the 2 epochs, got 3"),
        ("", "checkpoints=(0, 2, 1)", "`checkpoints` have to rise"),
        ("", "epoch=1", "did you mean 'epochs'?"),
        ("", "lr='5e-3'", "`lr` of Recipe is a number, got '5e-3'"),
        (
            "data=Digits",
            "",
            r"`data` of Study is nothing or a Digits and not the class: write Digits\(...\)",
        ),
        ("backbone='resnet18'", "", "`backbone` of Study is nothing or a Clip or a ResNet18"),
        ("augmentations=('swap10',)", "", "'swap10' is an augmentation of texts, .* images"),
        ("data=ComplaintsWorld(6, 5, 1), domains=()", "", "`backbone`: ResNet18 is for images"),
        ("embedders=(Lsa(8),)", "", "`embedders`: Lsa is for texts, and .*, Digits, are images"),
        (
            "data=ComplaintsWorld(6, 5, 1), domains=(), backbone=Bert('0' * 64), "
            "embedders=(Lsa(8),)",
            "",
            "`embedders` need `view_size`",
        ),
        (
            "generator=NGram(), settings=(Setting('good'),), shares=((0.5,),)",
            "",
            "`generator`: NGram is for texts",
        ),
        ("generator=Flow(8, 16, 50)", "", "`generator` needs `settings`"),
        ("rounds=2", "", "`rounds` needs a `generator`"),
        ("data=Images('~/pets'), domains=()", "", "named from the data root"),
        ("domains=('photo',)", "", "domains of the study mine are its data's, .*'digits'"),
        ("class_counts=(10, 5)", "", "`class_counts` has to rise"),
    ],
)
def test_what_is_wrong_with_a_study_is_said_before_anything_is_trained(
    tmp_path, given, recipe, said
):
    (tmp_path / "mine.py").write_text(STATED.format(given=given, recipe=recipe))
    with pytest.raises(BadStudyFile, match=f"mine.py cannot be used: .*{said}"):
        of_file(tmp_path / "mine.py")


OF_A_FOLDER = """
name = "mine"
title = "Pets"
data = {{type = "images", folder = "pets", side = 8{data}}}
backbone = {{type = "resnet18", width = 4}}
recipe = {{epochs = 1, batch = 4, lr = 5e-3}}
{study}
"""


def test_domains_are_named_once_or_those_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))

    def study(**given):
        parts = {name: f"domains = {list(value)}" for name, value in given.items()}
        if "data" in parts:
            parts["data"] = f", {parts['data']}"
        (tmp_path / "mine.toml").write_text(OF_A_FOLDER.format(**{"data": "", "study": ""} | parts))
        return of_file(tmp_path / "mine.toml").studies[0]

    for place in ("photo", "sketch"):
        for name in ("cat", "dog"):
            flat(tmp_path / "pets" / place / name / "1.png", (1, 2, 3))
    names = ("sketch", "photo")
    once = study(study=names)
    assert once == study(data=names) == study(data=names, study=names)
    assert once.domains == names and once.data.digest
    with pytest.raises(BadStudyFile, match=r"the domains photo, sketch, .* that one first"):
        study()
    (tmp_path / "pets" / "sketch").rename(tmp_path / "sketch")
    assert study() == study(study=["photo"]) and study().domains == ("photo",)


def test_the_domains_of_own_data_are_those_that_its_function_makes(tmp_path):
    (tmp_path / "mine.py").write_text(
        STATED.format(given="data=own_data(made), domains=()", recipe="").replace(
            "GIVEN =",
            "import numpy as np\nfrom ddiv.data.dataset import Dataset\n"
            "from ddiv.data.own import own_data\n"
            "def made():\n"
            "    part = np.zeros((2, 3, 8, 8), np.uint8), np.arange(2)\n"
            "    return Dataset(*part, {'photo': part, 'sketch': part}, ('cat', 'dog'))\n"
            "GIVEN =",
        )
    )
    (study,) = of_file(tmp_path / "mine.py").studies
    assert study.domains == ("photo", "sketch")


def test_all_wrong_studies_of_a_file_are_told_and_the_others_are_left(tmp_path):
    (tmp_path / "mine.toml").write_text(
        f"[[studies]]{TABLE.replace('mine', 'falling').replace('[0.1, 0.3]', '[0.3, 0.1]')}"
        f"[[studies]]{TABLE}"
        f"[[studies]]{TABLE.replace('mine', 'misspelt').replace('dropout_rates', 'rates')}"
        f"[[studies]]{TABLE}"
    )
    with pytest.raises(BadStudyFile) as error:
        of_file(tmp_path / "mine.toml")
    falling, misspelt, second = error.value.lines
    assert "the study falling: `dropout_rates` has to rise" in falling
    assert "the study misspelt: Study has no field 'rates'" in misspelt
    assert "the study mine: two of its studies have the same name" in second
    assert [study.name for study in error.value.rest.studies] == ["mine"]
    (tmp_path / "mine.toml").write_text("studies = 3")
    with pytest.raises(BadStudyFile, match=r"tables, each with the head \[\[studies\]\]"):
        of_file(tmp_path / "mine.toml")


def test_lists_serve_as_tuples_and_names_are_told_apart(tmp_path):
    (tmp_path / "mine.py").write_text(
        STATED.format(given="augmentations=['auto', 'cutmix']", recipe="") + "STUDIES = [STUDY]"
    )
    assert of_file(tmp_path / "mine.py").studies[0].augmentations == ("auto", "cutmix")
    (tmp_path / "mine.py").write_text(
        STATED.format(given="", recipe="") + "STUDIES = [STUDY, STUDY]"
    )
    with pytest.raises(BadStudyFile, match="the same name"):
        of_file(tmp_path / "mine.py")


@pytest.mark.parametrize(
    "there, written, said",
    [
        (
            "dropout_rates",
            "dropout_rate",
            "Study has no field 'dropout_rate'; did you mean 'dropout_rates'",
        ),
        ("lr =", "rate =", "missing required field `lr`"),
        (
            'type = "digits"',
            'type = "Digits"',
            r"Invalid value 'Digits' - at `\$\.data\.type`; types of data: world, digits, .*"
            r"a function of your own",
        ),
        (
            'type = "resnet18"',
            'kind = "resnet18"',
            "missing required field `type` - at .*; types of backbone: clip, resnet18",
        ),
        ("width = 4", "width = 4, layers = 3", "ResNet18 has no field 'layers'; there are: width"),
    ],
)
def test_a_misspelt_field_of_a_table_is_no_default(tmp_path, there, written, said):
    (tmp_path / "mine.toml").write_text(TABLE.replace(there, written))
    with pytest.raises(BadStudyFile, match=said):
        of_file(tmp_path / "mine.toml")


@pytest.mark.parametrize(
    "there, written, said",
    [
        ("lr =", "momentum = nan, lr =", "`momentum` of Recipe is a finite number"),
        ("lr =", "head_lr = inf, lr =", "`head_lr` of Recipe is a finite number"),
        ("width = 4", "width = -4", "`width` of ResNet18 is at least 1"),
        ("width = 4", "width = true", "Expected `int`, got `bool`"),
        ('domains = ["digits"]', 'domains = ["id"]', "a domain cannot be called 'id'"),
        ('name = "', 'name = "\\u001b[2J', "a study's name has 1 to 200 characters"),
    ],
)
def test_values_that_would_crash_later_or_share_a_key_are_refused(tmp_path, there, written, said):
    assert TABLE.count(there) == 1
    (tmp_path / "mine.toml").write_text(TABLE.replace(there, written))
    with pytest.raises(BadStudyFile, match=said):
        of_file(tmp_path / "mine.toml")


@pytest.mark.parametrize("name", PROFILES)
def test_a_file_is_not_called_as_one_of_ddiv_s_own_profiles(tmp_path, name):
    """Its findings would be held against the ledger's entries of that profile, on its page."""
    (tmp_path / f"{name}.toml").write_text(TABLE)
    with pytest.raises(BadStudyFile, match="rename the file"):
        of_file(tmp_path / f"{name}.toml")


def test_a_table_is_read_as_utf_8_and_names_a_study(tmp_path):
    (tmp_path / "mine.toml").write_text(TABLE.replace('title = "', 'title = "写真 '), "utf-8")
    assert of_file(tmp_path / "mine.toml").studies[0].title.startswith("写真")
    (tmp_path / "mine.toml").write_text("studies = []")
    with pytest.raises(BadStudyFile, match="describes no study"):
        of_file(tmp_path / "mine.toml")


def test_names_that_k_takes_for_one_are_no_two_names(tmp_path):
    text = STATED.format(given="", recipe="") + (
        "import msgspec\nSTUDIES = [STUDY, msgspec.structs.replace(STUDY, name='Mine')]"
    )
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(BadStudyFile, match="names that -k takes for one"):
        of_file(tmp_path / "mine.py")


SMALL = """
import msgspec
from ddiv.profiles.choose import profile
(SMOKE,) = profile("smoke").studies
STUDY = msgspec.structs.replace(SMOKE, name="small", augmentations=("auto", "noise10"),
                                extreme_augmentations=(), class_counts=(1, 3),
                                shares=((1.0,), (1.0,)))
"""


def test_a_study_with_few_arms_is_asked_what_it_can_answer(tmp_path):
    """Two augmentations have no correlation, two numbers of classes no peak, one share no
    threshold: these are skipped, saying so.
    """
    (tmp_path / "mine.py").write_text(SMALL)
    done = claims(
        tmp_path,
        *("--study", str(tmp_path / "mine.py"), "--seeds", "1", "--max-seeds", "1", "-q", "-k"),
        "vendi-disagree or vendi-classes or mix-threshold and id or vendi-aug-pixel",
    )
    assert done.returncode == 0, done.stdout[-2000:]
    for said in (
        "a correlation needs 3 arms or more, got 2",
        "need a ladder of 3 rungs or more, got 2",
        "a mixing ladder starts at 0",
    ):
        assert said in done.stdout
    assert (
        "no study of this run has" not in done.stdout
        and "5 skipped" in done.stdout
        and "2 inconclusive" in done.stdout
        and (tmp_path / "page.html").stat().st_size > 100_000
    )


def test_the_study_of_real_complaints_is_collected(tmp_path):
    done = claims(tmp_path, "--study", "benchmarks/complaints_study.py", "--collect-only", "-q")
    assert done.returncode == 0 and "drop-frobenius-minilm-complaints" in done.stdout, done.stdout[
        -2000:
    ]
