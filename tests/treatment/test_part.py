"""A part of a user's own as a value: its label, its doses, its key, and what is wrong with it."""

import subprocess
import sys

import msgspec
import pytest
from torch.nn import functional as F

from ddiv.claim import ladder
from ddiv.common.errors import NoModel, TrialFailed
from ddiv.profiles.study_file import of_file
from ddiv.treatment import (
    BASELINE,
    Augmentation,
    BatchSize,
    Dropout,
    OwnPart,
    Part,
    Treatment,
    WeightDecay,
    is_built_in,
)
from ddiv.trial import canonical, decode, key, trial
from tests.support.smoke import STUDY


class LabelSmoothing(Part, frozen=True):
    """Labels that are not sure."""

    amount: float

    @property
    def does_nothing(self):
        return self.amount == 0

    def loss(self, outputs, labels):
        return F.cross_entropy(outputs, labels, label_smoothing=self.amount, reduction="none")


class Noisy(Part, frozen=True):
    """Doses of every type."""

    share: float
    how: str = "pairs"
    times: int = 2
    always: bool = False

    def batch(self, inputs, draws):
        return inputs


class Named(Noisy, frozen=True):
    @property
    def label(self):
        return f"noise of {self.share:.0%}"

    @property
    def family(self):
        return "noise"


def test_a_part_becomes_the_value_that_stands_for_it():
    arm = Treatment.of(LabelSmoothing(0.1))
    (part,) = arm.parts
    assert type(part) is OwnPart and not is_built_in(part)
    assert (part.name, part.options, part.hooks) == (
        "LabelSmoothing",
        (("amount", 0.1),),
        ("loss",),
    )
    assert arm.label == "label smoothing 0.1" and arm.group == "label smoothing"
    assert arm.acting == (LabelSmoothing(0.1),) == arm.with_hook("loss")
    assert arm.with_hook("batch") == () and arm.part(LabelSmoothing) == LabelSmoothing(0.1)
    assert arm.part(Dropout) is None and BASELINE.part(LabelSmoothing) is None


def test_doses_of_every_type_are_options():
    arm = Treatment.of(Noisy(1, times=3))
    (part,) = arm.parts
    assert dict(part.options) == {"share": 1.0, "how": "pairs", "times": 3, "always": False}
    assert arm.label == "noisy 1 pairs 3 False" and part.part() == Noisy(1.0, times=3)
    assert Treatment.of(Named(0.5)).label == "noise of 50%"
    assert Treatment.of(Named(0.5)).group == "noise"


def test_whole_doses_and_floats_have_one_key():
    keys = {key(trial(STUDY, Treatment.of(Noisy(share)), 0)) for share in (1, 1.0)}
    assert len(keys) == 1


def test_parts_come_in_one_order_and_join():
    one = Treatment.of(Noisy(0.5), WeightDecay(0.1), LabelSmoothing(0.1), Dropout(0.1))
    other = BASELINE + LabelSmoothing(0.1) + (Treatment.of(Dropout(0.1)) + Noisy(0.5))
    assert one == other + WeightDecay(0.1)
    names = [getattr(part, "name", type(part).__name__) for part in one.parts]
    assert names == ["Dropout", "LabelSmoothing", "Noisy", "WeightDecay"]
    assert one.group == "combination" and one.with_hook("loss") == (LabelSmoothing(0.1),)


def test_a_dose_that_does_nothing_is_the_baseline():
    assert Treatment.of(LabelSmoothing(0)) == BASELINE == BASELINE + LabelSmoothing(0.0)
    assert Treatment.of(Dropout(0.1), LabelSmoothing(0)) == Treatment.of(Dropout(0.1))


def test_a_treatment_goes_through_json_and_names_a_trial():
    arm = Treatment.of(LabelSmoothing(0.1), Noisy(0.5), Dropout(0.2))
    assert msgspec.json.decode(msgspec.json.encode(arm), type=Treatment) == arm
    job = trial(STUDY, arm, 3)
    assert decode(canonical(job)) == job
    others = [Treatment.of(LabelSmoothing(0.2)), Treatment.of(Noisy(0.5)), BASELINE]
    assert len({key(job), *(key(trial(STUDY, other, 3)) for other in others)}) == 4


FILE = """
from ddiv.treatment import Part, Treatment
from ddiv import Recipe, Study
from ddiv.study import Digits, ResNet18

SCALE = 2.0
OTHER = 3.0

def scaled(value):
    return SCALE * value

class Penalised(Part, frozen=True):
    weight: float

    def penalty(self, network):
        return scaled(self.weight) * network.head.weight.square().sum()

def unrelated():
    return OTHER

ARM = Treatment.of(Penalised(0.1))
STUDY = Study("mine", "Mine", Digits(40, side=8), ResNet18(4), Recipe(1, 20, 0.01))
"""

ARM_KEY = """
import sys
from runpy import run_path
from ddiv.trial import key, trial
names = run_path(sys.argv[1])
print(key(trial(names["STUDY"], names["ARM"], 0)))
"""


def test_a_part_has_one_key_in_two_processes_and_another_after_a_change(tmp_path):
    def key_of(text, folder):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(text)
        run = subprocess.run(
            [sys.executable, "-c", ARM_KEY, path], capture_output=True, text=True, check=True
        )
        return run.stdout.strip()

    before = key_of(FILE, "a")
    assert before == key_of(FILE, "b") == key_of(FILE.replace("OTHER = 3", "OTHER = 4"), "c")
    assert before == key_of(FILE.replace("return OTHER", "return -OTHER"), "d")
    changed = {
        key_of(FILE.replace("SCALE = 2", "SCALE = 4"), "e"),
        key_of(FILE.replace("SCALE * value", "SCALE + value"), "f"),
        key_of(FILE.replace("square()", "abs()"), "g"),
        key_of(FILE.replace("Penalised(0.1)", "Penalised(0.2)"), "h"),
    }
    assert len(changed) == 4 and before not in changed


def test_where_the_class_is_not_known_the_value_still_has_its_names():
    (part,) = Treatment.of(LabelSmoothing(0.1)).parts
    gone = msgspec.structs.replace(part, source="0" * 64)
    arm = Treatment((gone, *Treatment.of(Dropout(0.1)).parts))
    assert arm.label == "dropout 0.1 + label smoothing 0.1" and arm.group == "combination"
    assert arm.part(Dropout) == Dropout(0.1) and arm.seed(3) == 3 and not arm.with_hook("batch")
    assert trial(STUDY, arm, 0).batch == STUDY.recipe.batch
    with pytest.raises(NoModel, match=r"defines the own part 'LabelSmoothing' .*give --study"):
        arm.with_hook("loss")


# --- ladders --------------------------------------------------------------------------------------


def test_a_ladder_of_doses_begins_with_the_baseline():
    arms = [(amount, Treatment.of(LabelSmoothing(amount))) for amount in (0.05, 0.1)]
    assert ladder(LabelSmoothing, (0.1, 0.05)) == ((0.0, BASELINE), *arms)
    assert ladder(LabelSmoothing, (0, 0.05, 0.1)) == ladder(LabelSmoothing, (0.05, 0.1))
    assert STUDY.dropout() == ladder(Dropout, STUDY.dropout_rates)


def test_the_baseline_of_a_ladder_may_be_at_another_dose():
    rungs = ladder(BatchSize, (64, 8, 32), without=32)
    assert [dose for dose, _ in rungs] == [8, 32, 64]
    assert [arm.is_baseline for _, arm in rungs] == [False, True, False]


# --- what is wrong --------------------------------------------------------------------------------


class Losss(Noisy, frozen=True):
    def losss(self, outputs, labels):
        return 0


class Penalties(Noisy, frozen=True):
    def penalties(self, network):
        return 0


class Optimizer(Noisy, frozen=True):
    def optimizer(self, optimiser, network):
        return None


class Hookless(Part, frozen=True):
    amount: float

    def augment(self, images):
        return images


class HookAsDose(Noisy, frozen=True):
    seed: int = 3


class FamilyAsDose(Noisy, frozen=True):
    family: int = 3


class Row(Noisy, frozen=True):
    amounts: tuple[float, ...] = (0.1, 0.2)


class Absent(Noisy, frozen=True):
    amount: float | None = None


class OneArgument(Part, frozen=True):
    def loss(self, outputs):
        return outputs


class Thawed(Noisy, frozen=False):
    amount: float = 0.1


class Unsettled(LabelSmoothing, frozen=True):
    def __post_init__(self):
        """Without that of Part."""


class NoLabel(Noisy, frozen=True):
    @property
    def label(self):
        return 3


class Quiet(Noisy, frozen=True):
    @property
    def family(self):
        return ""


class Milder(Dropout, frozen=True):
    def network(self, network, sites):
        sites.drop(self.rate / 2)


class Selfless(Part, frozen=True):
    def loss(outputs, labels):  # noqa: N805
        return outputs


class NoPart:
    def loss(self, outputs, labels):
        return 0


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Losss(0.1), "the part Losss has no hook 'losss': did you mean 'loss'?"),
        (lambda: Penalties(0.1), "the part Penalties has no hook 'penalties': .* 'penalty'?"),
        (lambda: Optimizer(0.1), "the part Optimizer has no hook 'optimizer': .* 'optimiser'?"),
        (lambda: Hookless(0.1), "the part Hookless has no hook, so it does nothing: .* gradients"),
        (lambda: HookAsDose(0.1), "the part HookAsDose has a dose called 'seed'.* another name"),
        (lambda: FamilyAsDose(0.1), "the part FamilyAsDose has a dose called 'family'"),
        (lambda: Row(0.1), "the dose 'amounts' of the part Row is a tuple, .* a field for each"),
        (lambda: Absent(0.1), "the dose 'amount' of the part Absent is a NoneType"),
        (Selfless, r"called as loss\(outputs, labels\), .* \(its first parameter is `self`"),
        (OneArgument, r"`loss` of the part OneArgument is called as loss\(outputs, labels\)"),
        (lambda: LabelSmoothing(float("nan")), "`amount` of LabelSmoothing is a finite number"),
        (lambda: Unsettled(float("nan")), "`amount` of Unsettled is a finite number, got nan"),
        (lambda: Unsettled("much"), "`amount` of Unsettled is a number, got 'much'"),
        (lambda: Thawed(0.1), "the part Thawed can be changed .* leave `frozen=False` out"),
        (lambda: NoLabel(0.1), "the label of the part NoLabel is text, got 3"),
        (lambda: Quiet(0.1), "the family of the part Quiet has 1 to 200 characters"),
        (lambda: Milder(0.1), "the part Milder has the label of ddiv's Dropout"),
        (lambda: LabelSmoothing, r"and not the class: write LabelSmoothing\(\.\.\.\)"),
        (lambda: Dropout, r"a Dropout and not the class: write Dropout\(\.\.\.\)"),
        (NoPart, "got .*NoPart.*: derive its class from ddiv.treatment.Part"),
        (lambda: "dropout", "made of parts, got 'dropout'"),
        (lambda: Treatment.of(Dropout(0.1)), "got .*: join treatments by +"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_part_is_told_when_it_is_made(make, said):
    with pytest.raises(ValueError, match=said) as error:
        Treatment.of(make())
    assert "\n" not in str(error.value)


def test_a_field_of_a_type_that_is_no_dose_is_told():
    class Listed(Part, frozen=True):
        amounts: list[float]

    class Unknown(Part, frozen=True):
        amount: "Tensr"  # noqa: F821

    for kind in (Listed, Unknown):
        with pytest.raises(ValueError, match=f"fields of the part {kind.__name__} are doses, of"):
            kind([0.1])


def test_a_class_within_a_function_has_no_source_of_its_own():
    class Inner(LabelSmoothing, frozen=True):
        pass

    with pytest.raises(ValueError, match=r"is defined within a function: .* top level of a .py"):
        Treatment.of(Inner(0.1))


def test_a_class_of_a_notebook_or_a_prompt_has_no_source():
    text = FILE.partition("STUDY =")[0]
    run = subprocess.run([sys.executable], input=text, capture_output=True, text=True, check=False)
    assert "Penalised" in run.stderr and "comes from no file (a notebook, a prompt" in run.stderr
    names = {"__name__": "__main__"}
    with pytest.raises(ValueError, match="comes from no file"):
        exec(compile(text, "<ipython-input-1>", "exec"), names)


def test_a_script_is_a_file(tmp_path):
    (tmp_path / "mine.py").write_text(FILE + "print(ARM.label)")
    run = subprocess.run(
        [sys.executable, tmp_path / "mine.py"], capture_output=True, text=True, check=True
    )
    assert run.stdout == "penalised 0.1\n"


def test_two_parts_of_one_name_are_told_apart_or_refused(tmp_path):
    def arm_of(folder, text):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(text)
        names = {}
        path = tmp_path / folder / "mine.py"
        exec(compile(text, str(path), "exec"), names)
        return names["ARM"]

    one = arm_of("a", FILE.partition("STUDY =")[0])
    two = arm_of("b", FILE.partition("STUDY =")[0].replace("SCALE * value", "SCALE - value"))
    assert one.label == two.label and one != two
    assert one.acting[0] != two.acting[0]
    with pytest.raises(ValueError, match="two classes are called Penalised, so rename one"):
        one + two
    with pytest.raises(ValueError, match=r"one part of a kind, got label smoothing 0.1 . label"):
        Treatment.of(LabelSmoothing(0.1), LabelSmoothing(0.2))
    again = "\nclass Penalised(Penalised, frozen=True):\n    pass\nARM = Treatment.of(Penalised(1))"
    with pytest.raises(ValueError, match=r"is one of several of this name in mine.py"):
        arm_of("c", FILE + again)


def test_a_part_with_the_name_of_one_of_ddivs_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(FILE.replace("Penalised", "Dropout"))
    with pytest.raises(Exception, match="'Dropout' is a part of ddiv's: give your class another"):
        of_file(tmp_path / "mine.py")


class Squared(Part, frozen=True):
    def loss(self, outputs, labels):
        return (outputs[:, 0] - labels).square()


def test_two_losses_are_one_too_many():
    with pytest.raises(
        ValueError, match=r"has the hook `loss`, and label smoothing 0.1 and squared"
    ):
        Treatment.of(LabelSmoothing(0.1), Squared())
    assert Treatment.of(Squared(), Noisy(0.1), Augmentation("mixup"))


class Seeded(Part, frozen=True):
    what: str

    def seed(self, seed):
        return {"one": seed + 1, "none": None, "text": "3", "below": -1}[self.what]


def test_a_hook_gives_the_seed_of_an_arm():
    assert Treatment.of(Seeded("one")).seed(3) == 4
    for what in ("none", "text", "below"):
        with pytest.raises(TrialFailed, match="`seed` of the part Seeded has to return a whole"):
            Treatment.of(Seeded(what)).seed(3)
    with pytest.raises(TrialFailed, match=r"the hook `seed` .* raised KeyError: 'other'"):
        Treatment.of(Seeded("other")).seed(3)


class Refusing(LabelSmoothing, frozen=True):
    def __post_init__(self):
        super().__post_init__()
        if self.amount > 1:
            raise ValueError(f"an amount is at most 1, got {self.amount}")


def test_a_part_may_refuse_doses():
    assert Treatment.of(Refusing(1.0)).acting == (Refusing(1.0),)
    with pytest.raises(ValueError, match="an amount is at most 1, got 2"):
        Treatment.of(Refusing(2.0))
