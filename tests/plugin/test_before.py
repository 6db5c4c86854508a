"""Studies that are wrong stop a run before anything is trained; all of them are told."""

import pytest

from tests.support.claims_run import claims

FILE = """
import msgspec
from torch import nn
from ddiv.models.own import own_model
from ddiv.study import Digits, Recipe, Study

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv, self.pool = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)
        self.width = width

    def forward(self, images):
        return self.pool(self.conv(images).relu()).flatten(1)

def study(name, width=4, **given):
    data, recipe = Digits(40, side=8), Recipe(epochs=1, batch=20, lr=1e-3)
    given = dict(data=data, recipe=recipe, dropout_rates=(0.1, 0.2)) | given
    return Study(name=name, title=name, backbone=own_model(Net, width=width), **given)

STUDIES = (study("sound"), study("wide", 5), study("large", recipe=Recipe(1, 60, 1e-3)){more})
"""

CHOSEN = ("-k", "drop-frobenius and classifier and not scratch", "--seeds", "1", "--max-seeds", "1")


def stated(folder, more=""):
    (folder / "mine.py").write_text(FILE.replace("{more}", more))
    return ("--study", str(folder / "mine.py"), *CHOSEN)


TOLD = (
    "ERROR: the study wide: the own model Net gives features of shape",
    "ERROR: the study large: `batch` of its recipe: a batch of 60 examples is more than the 40",
)


def lines(done):
    return [line for line in done.stderr.splitlines() if line.startswith("ERROR")]


def test_a_plan_tells_all_that_is_wrong_and_plans_the_rest(tmp_path):
    chosen = stated(tmp_path, ', study("falling", dropout_rates=(0.2, 0.1))')
    done = claims(tmp_path, *chosen, "--plan")
    assert done.returncode == 4, done.stdout + done.stderr
    told = lines(done)
    assert len(told) == 3 and all(any(each.startswith(t) for each in told) for t in TOLD), told
    assert any("the study falling: `dropout_rates` has to rise" in each for each in told)
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("sound ")][:1]
    assert row.split()[:2] == ["sound", "1"] and "wide" not in done.stdout
    assert "Data of sound: 40 images of" in done.stdout
    assert not (tmp_path / "store" / "trials").exists()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_stops_before_it_trains_anything(tmp_path, workers):
    done = claims(tmp_path, *stated(tmp_path), "-n", workers)
    assert done.returncode == 4 and len(told := lines(done)) == 2, done.stdout + done.stderr
    assert all(any(each.startswith(t) for each in told) for t in TOLD), told
    assert not [*(tmp_path / "store" / "trials").glob("*")]
    assert not (tmp_path / "page.html").exists()
