"""Names in a study cannot be taken for other names of ddiv's, so no score is read as another."""

import msgspec
import pytest

from ddiv.profiles.checks import checked
from ddiv.study import (
    Complaints,
    ComplaintsWorld,
    Digits,
    DomainNet,
    Images,
    Own,
    Recipe,
    ResNet18,
    Study,
    World,
)
from ddiv.treatment import (
    Added,
    Blurred,
    Captioned,
    Flow,
    Setting,
    StableDiffusion,
    Synthetic,
    Treatment,
)

GIVEN = Study(
    "mine", "mine", Own("f", "x"), ResNet18(4), Recipe(epochs=2, batch=40, lr=5e-3), ("photo",)
)


@pytest.mark.parametrize("taken", ["id", "ood", "train"])
@pytest.mark.parametrize("others", [(), ("photo",)])
def test_a_domain_has_no_name_of_a_score(taken, others):
    for domains in {(*others, taken), (taken, *others)}:
        with pytest.raises(ValueError, match=f"a domain cannot be called '{taken}'.*rename it"):
            msgspec.structs.replace(GIVEN, domains=domains)
    with pytest.raises(ValueError, match="the folder that it is named after"):
        msgspec.structs.replace(GIVEN, data=Images(f"birds/{taken}"), domains=(taken,))


@pytest.mark.parametrize(
    "domains",
    [("a", "a"), ("",), ("a", " "), ("a\nb",), ("a\x1b[0m",), ("e\u0301", "\u00e9"), ("x" * 999,)],
)
def test_domains_have_names_that_tell_them_apart(domains):
    with pytest.raises(ValueError, match=r"the name of a domain has|domains of different names"):
        msgspec.structs.replace(GIVEN, domains=domains)


def test_other_names_of_domains_stay_possible():
    for domains in (("test", "val"), ("ID", "CA"), ("a/b", "a:b", ".."), ("写真",)):
        assert msgspec.structs.replace(GIVEN, domains=domains).domains == domains


@pytest.mark.parametrize("name", ["", " mine", "a\nb", "a\x1b]0;b\x07", "x" * 999, 3, None])
def test_a_study_of_a_file_has_a_name_that_can_be_typed(name):
    with pytest.raises(ValueError, match=r"a study's name has|`name` of Study is text"):
        checked(msgspec.structs.replace(GIVEN, name=name))


def test_settings_and_augmentations_are_told_apart():
    """Of two settings of one name the second would never be drawn from, and the first be told."""
    good, other = Setting("good"), Setting("good", guidance=4)
    given = {"generator": Flow(8, 16, 50), "shares": ((0.5,), (0.5,))}
    with pytest.raises(ValueError, match=r"different names, got .'good', 'good'"):
        msgspec.structs.replace(GIVEN, settings=(good, other), **given)
    with pytest.raises(ValueError, match="different names"):
        msgspec.structs.replace(GIVEN, augmentations=("auto",), further_augmentations=("auto",))
    sound = msgspec.structs.replace(GIVEN, settings=(good, Setting("poor")), **given)
    with pytest.raises(ValueError, match="no setting 'better'"):
        sound.synthetic(0.5, "better")


def test_each_setting_may_have_a_generator_of_its_own():
    flow, other = Flow(8, 16, 50), Captioned("0" * 64, side=16)
    settings = (Setting("good"), Setting("own images"))
    given = {"generator": other, "settings": settings, "shares": ((0.5,), (0.5,))}
    study = msgspec.structs.replace(GIVEN, generators=(other, flow), **given)
    assert study.synthetic(0.5) == Treatment.of(Synthetic(0.5, other, settings[0]))
    assert study.added(0.5) == Treatment.of(Added(0.5, other, settings[0]))
    assert study.blurred(0.5) == Treatment.of(Blurred(16, 0.5))
    assert study.blurred(setting="own images") == Treatment.of(Blurred(8))
    (_, (_, mixed)) = study.mixing("own images")
    assert mixed == Treatment.of(Synthetic(0.5, flow, settings[1]))
    for wrong in ((other,), (flow, other)):
        with pytest.raises(ValueError, match="one for each of the `settings`"):
            msgspec.structs.replace(GIVEN, generators=wrong, **given)
    with pytest.raises(ValueError, match="no generator"):
        GIVEN.added(0.5)
    whole = msgspec.structs.replace(GIVEN, **given | {"generator": StableDiffusion()})
    with pytest.raises(ValueError, match="no small images"):
        whole.blurred()


def test_a_ladder_of_shares_belongs_to_each_setting():
    with pytest.raises(ValueError, match="`shares` holds a ladder for each"):
        msgspec.structs.replace(GIVEN, settings=(Setting("good"),), generator=Flow(8, 16, 50))


def test_the_domains_of_complaints_are_those_of_their_study():
    data = Complaints("", domain="State", domains=("CA", "ID"))
    assert msgspec.structs.replace(GIVEN, data=data, domains=("CA", "ID")).ood_domains == ("ID",)
    with pytest.raises(ValueError, match="the domains of the study mine are its data's"):
        msgspec.structs.replace(GIVEN, data=data, domains=("ID", "CA"))
    assert Digits(120) == msgspec.convert({"type": "digits", "train": 120}, Digits)


@pytest.mark.parametrize(
    "data, named",
    [
        (Images("pets"), Images("pets", domains=("b", "a"))),
        (DomainNet(), DomainNet(("sketch", "real"))),
        (Complaints("", domain="State"), Complaints("", domain="State", domains=("b", "a"))),
    ],
)
def test_domains_named_once_hold_for_the_study_and_its_data(data, named):
    """Also in the key of a trial: it is that of a study that names them in both places."""
    alone = msgspec.structs.replace(GIVEN, data=named, domains=())
    assert alone.domains == named.domains and alone.data == named
    other = msgspec.structs.replace(GIVEN, data=data, domains=named.domains)
    assert other == alone == msgspec.structs.replace(GIVEN, data=named, domains=named.domains)
    with pytest.raises(ValueError, match="leave `domains` out of the study"):
        msgspec.structs.replace(GIVEN, data=named, domains=named.domains[::-1])


@pytest.mark.parametrize(
    "data, domains",
    [
        (Digits(120), ("digits",)),
        (World(1, 1, 1), ("real", "clipart", "infograph", "painting", "sketch")),
        (ComplaintsWorld(1, 1, 1), ("letter", "phone", "terse", "typos")),
        (Images("mine/pets"), ("pets",)),
        (Complaints(""), ("complaints",)),
    ],
)
def test_domains_that_nobody_names_are_those_of_the_data(data, domains):
    assert msgspec.structs.replace(GIVEN, data=data, domains=()).domains == domains


def test_a_column_of_domains_needs_their_names():
    data = Complaints("", domain="State")
    with pytest.raises(ValueError, match=r"`domains` of the study mine is missing.*'State'"):
        msgspec.structs.replace(GIVEN, data=data, domains=())
