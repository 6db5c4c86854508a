"""The digest of a user's function: every change that may reach it changes it, no other does."""

import py_compile
import runpy
import sys
import sysconfig
from pathlib import Path

import pytest

from ddiv.common.digests import source_digest, unseen
from ddiv.common.sources import Source, source_of

BASE = """
import functools
from dataclasses import dataclass
from pathlib import Path
from ddiv.study import Recipe
import torch
from torch import nn

TABLE = {"a": 1}
SIZES = [8]
RATE = 0.5
OTHER = {}


def registered(function):
    TABLE[function.__name__] = function
    return function


class Registered:
    def __init_subclass__(cls):
        TABLE[cls.__name__] = cls


class Meta(type):
    def __init__(cls, *arguments):
        TABLE[cls.__name__] = cls


def fill(table, value=2):
    table["b"] = value


def setup(value):
    fill(TABLE, value)


def get():
    return SIZES


class Encoder(nn.Module):
    width = 8


def encoder(width=3):
    return Encoder(), TABLE, SIZES


"""


def written(folder: Path, files: dict[str, str]) -> Source:
    """The source of `encoder` in mine.py of these files. Nothing is run."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return source_of(folder / "mine.py", "encoder")


@pytest.fixture
def digest(tmp_path):
    """The digest of `encoder` in a file of this text, with these files beside it."""
    return lambda text, **others: (
        written(
            tmp_path, {"mine.py": text} | {f"{name}.py": other for name, other in others.items()}
        ).digest
    )


@pytest.mark.parametrize(
    "line",
    [
        "TABLE['x'] = 1",
        "TABLE.update(a=1)",
        "_ = TABLE.setdefault('x', 1)",
        "TABLE |= {'x': 1}",
        "SIZES.append(1)",
        "SIZES += [1]",
        "SIZES[0] = 1",
        "SIZES[:] = [1]",
        "del SIZES[1]",
        "for n in (1,): SIZES.append(n)",
        "[SIZES.append(n) for n in (1,)]",
        "kept = [n.append(1) for n in (SIZES,)]",
        "if SIZES: SIZES.pop(1)",
        "while len(SIZES) < 1: SIZES.append(3)",
        "try:\n    SIZES.append(1)\nfinally:\n    pass",
        "with torch.no_grad(): SIZES.append(1)",
        "match SIZES:\n    case [*_]: SIZES.append(1)",
        "Encoder.width = 1",
        "setattr(Encoder, 'width', 1)",
        "Encoder.forward = lambda self, x: x * 1",
        "encoder.__defaults__ = (1,)",
        "ALIAS = TABLE\nALIAS['x'] = 1",
        "ALIAS = SIZES\nALIAS += [1]",
        "fill(TABLE, 1)",
        "made = fill(TABLE, 1)",
        "made = [each(TABLE, 1) for each in (fill,)]",
        "made = list(map(fill, [TABLE] * 1))",
        "made = list(map(SIZES.append, [1]))",
        "made = list(map(lambda n: SIZES.append(n), [1]))",
        "made = sorted([1], key=lambda n: TABLE.update(a=n) or n)",
        "setup(1)",
        "made = setup(1)",
        "@registered\ndef block(): return 1",
        "block = registered(lambda: 1)",
        "TABLE['block'] = lambda: 1",
        "class Block(Registered): size = 1",
        "class Block(nn.Module, metaclass=Meta): size = 1",
        "class Block:\n    TABLE['x'] = 1",
        "def grow(by=SIZES.append(1)): pass",
        "def grow():\n    global RATE\n    RATE = 1\ngrow()",
        "globals()['TABLE'] = 1",
        "exec('TABLE = 1')",
        "torch.manual_seed(1)",
        "nn.Module.size = 1",
        "kept = functools.reduce(lambda a, b: a.append(b) or a, [1], SIZES)",
        "kept = [fill][0](TABLE, 1)",
        "kept = (lambda: SIZES.append(1))()",
        "kept = get().append(1)",
        "assert SIZES.append(1) is None",
        "import random; random.shuffle(SIZES, lambda: 1)",
        "dict.update(TABLE, x=1)",
        "list.append(SIZES, 1)",
        "type.__setattr__(Encoder, 'width', 1)",
        "TABLE << 1",
        "OTHER[1]",
        "def grow(to: fill(TABLE, 1)): pass",
        "size: fill(TABLE, 1) = 3",
        "fill(next(iter(OTHER.values())), 1)",
        "made = [f(1) for f in (SIZES.append,)]",
        "class Block:\n    def add(): SIZES.append(1)\n    add()",
        "def grow(to=SIZES): to.append(1)\ngrow()",
        "def grow(*, to=SIZES): to.append(1)\ngrow()",
        "def grow():\n    one = OTHER.get('a', [])\n    one.append(1)\ngrow()",
        "def grow():\n    for one in OTHER.values(): one.append(1)\ngrow()",
        "def grow():\n    for _, one in sorted(OTHER.items()): one.append(1)\ngrow()",
        "def grow():\n    kind = Encoder\n    kind.width = 1\ngrow()",
        "def grow():\n    add = lambda: SIZES.append(1)\n    add()\ngrow()",
    ],
)
def test_what_is_done_after_the_definition_counts(digest, line):
    other = line.replace("1", "2")
    assert other != line
    assert len({digest(BASE), digest(BASE + line + "\n"), digest(BASE + other + "\n")}) == 3


@pytest.mark.parametrize(
    "line",
    [
        '"""Words."""',
        "# words",
        "EPOCHS = 3",
        "EPOCHS: int = 3",
        "EPOCHS = 3\nEPOCHS = EPOCHS * 2\nPAIR = (EPOCHS, -EPOCHS)\nNAME = str(PAIR)",
        "RECIPE = Recipe(epochs=3, batch=2, lr=RATE)",
        "RATES = tuple(rate / 2 for rate in (0.1, 0.2))",
        "NAMES = ' '.join(sorted({'b', 'a'}))",
        "WEIGHTS = torch.zeros(3)",
        "ROOT = Path(__file__).parent",
        "def unused(table=(1, 2)):\n    table[0] = 1\n    return {}",
        "@dataclass(frozen=True)\nclass Unused:\n    size: int = 3",
        "class Unused(nn.Module):\n    @property\n    def size(self): return 3",
        "class Unused(Encoder):\n    def grow(self): self.x = 3",
        "@functools.cache\ndef unused(): return 3",
        "if __name__ == '__main__':\n    fill(TABLE, 1)",
        "def recipe(n): return Recipe(epochs=n, batch=2, lr=RATE)\nALL = [recipe(1), recipe(2)]",
        "print('reading')",
        "assert len(SIZES) < 9, SIZES",
        "try:\n    import numpy as np\nexcept ImportError:\n    np = None",
    ],
)
def test_what_binds_another_name_and_does_nothing_else_does_not_count(digest, line):
    assert digest(BASE + line + "\n") == digest(BASE)


@pytest.mark.parametrize("old, new", [("width = 8", "width = 9"), ("[8]", "[9]"), ("=3", "=4")])
def test_a_class_and_a_constant_that_are_named_count(digest, old, new):
    assert digest(BASE) != digest(BASE.replace(old, new))


# --- other files of the user's ------------------------------------------------------------------

HELPER = """
import deep

SIZE = 3
UNUSED = 4


def net():
    return SIZE, deep.LAYERS


def other():
    return UNUSED
"""
DEEP = "LAYERS = [1]\nBESIDE = 2\n"


@pytest.mark.parametrize(
    "text",
    [
        "from helper import net\ndef encoder(): return net()\n",
        "from helper import net as made\ndef encoder(): return made()\n",
        "import helper\ndef encoder(): return helper.net()\n",
        "import helper as h\ndef encoder(): return h.net()\n",
        "from helper import *\ndef encoder(): return net()\n",
        "def encoder():\n    from helper import net\n    return net()\n",
        "def encoder():\n    import helper\n    return helper.net()\n",
        "try:\n    from helper import net\nfinally:\n    pass\ndef encoder(): return net()\n",
        "from importlib import import_module as m\ndef encoder(): return m('helper').net()\n",
        "import importlib as i\nh = i.import_module('helper')\ndef encoder(): return h.net()\n",
        "def encoder(): return __import__('helper').net()\n",
    ],
)
def test_helper_modules_count_as_far_as_they_are_used(digest, text):
    plain = digest(text, helper=HELPER, deep=DEEP)
    assert digest(text, helper=HELPER.replace("SIZE = 3", "SIZE = 4"), deep=DEEP) != plain
    assert digest(text, helper=HELPER, deep=DEEP.replace("[1]", "[2]")) != plain
    assert digest(text, helper=HELPER, deep=DEEP + "LAYERS.append(3)\n") != plain
    assert digest(text, helper=HELPER, deep=DEEP) == plain
    if "import_" not in text:
        assert digest(text, helper=HELPER.replace("UNUSED = 4", "UNUSED = 5"), deep=DEEP) == plain
        assert digest(text, helper=HELPER, deep=DEEP.replace("BESIDE = 2", "BESIDE = 3")) == plain


REGISTRY = "BLOCKS = []\ndef register(f):\n    BLOCKS.append(f)\n    return f\n"
BLOCKS = "from registry import register\n@register\ndef block(): return 1\n"


@pytest.mark.parametrize(
    "line", ["import blocks", "if True:\n    import blocks", "from blocks import *"]
)
def test_a_helper_that_is_imported_for_what_it_does_counts(digest, line):
    text = f"import registry\n{line}\ndef encoder(): return registry.BLOCKS\n"
    found = {
        digest(text, blocks=BLOCKS, registry=REGISTRY),
        digest(text, blocks=BLOCKS.replace("1", "2"), registry=REGISTRY),
        digest(text, blocks=BLOCKS, registry=REGISTRY.replace("append(f)", "append(f())")),
        digest(text, blocks=BLOCKS, registry=f"{REGISTRY}BLOCKS.append(3)\n"),
    }
    assert len(found) == 4


def test_a_module_that_is_handed_over_counts_whole(digest):
    text = "import helper\ndef encoder(name='net'): return getattr(helper, name)()\n"
    plain = digest(text, helper=HELPER, deep=DEEP)
    assert digest(text, helper=HELPER.replace("UNUSED = 4", "UNUSED = 5"), deep=DEEP) != plain


PACKAGE = {
    "nets/__init__.py": "from .small import net\nNAME = 1\n",
    "nets/small.py": "from . import parts\nfrom .parts import WIDE as W\n"
    "def net(): return parts.SIZE, W\n",
}
PARTS = "SIZE = 3\nWIDE = 4\nUNUSED = 5\n"


@pytest.mark.parametrize(
    "text",
    [
        "import nets\ndef encoder(): return nets.net()\n",
        "import nets.small\ndef encoder(): return nets.small.net()\n",
        "import nets.small as small\ndef encoder(): return small.net()\n",
        "from nets import net\ndef encoder(): return net()\n",
        "from nets import small\ndef encoder(): return small.net()\n",
        "from nets.small import net\ndef encoder(): return net()\n",
    ],
)
def test_packages_and_relative_imports_are_followed(tmp_path, text):
    def changed(old, new):
        parts = PARTS.replace(old, new)
        return written(tmp_path, {"mine.py": text, "nets/parts.py": parts, **PACKAGE}).digest

    plain = changed("", "")
    assert len({plain, changed("SIZE = 3", "SIZE = 30"), changed("WIDE = 4", "WIDE = 40")}) == 3
    assert changed("UNUSED = 5", "UNUSED = 50") == plain


def test_where_files_lie_does_not_count(tmp_path, monkeypatch):
    text, found = "import beside\ndef encoder(): return beside.SIZE\n", []
    for folder in (tmp_path / "one", tmp_path / "two"):
        found.append(written(folder, {"beside.py": "SIZE = 3\n", "mine.py": text}).digest)
        monkeypatch.syspath_prepend(str(folder))
        found.append(source_digest(runpy.run_path(str(folder / "mine.py"))["encoder"]))
        monkeypatch.delitem(sys.modules, "beside")
    assert len({*found}) == 1


def test_files_that_import_each_other_are_followed_once(digest):
    text = "import other\ndef encoder(): return other.back()\nSIZE = 1\n"
    back = "def back():\n    import mine\n    return mine.SIZE\n"
    assert digest(text, other=back) != digest(text.replace("SIZE = 1", "SIZE = 2"), other=back)


def test_a_thousand_functions_one_after_another_are_followed(digest):
    text = "".join(f"def f{n}(): return f{n + 1}()\n" for n in range(2000))
    text = f"def encoder(): return f0()\n{text}def f2000(): return 1\n"
    assert digest(text) != digest(text.replace("return 1\n", "return 2\n"))


# --- what no source tells -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, told",
    [
        ("def encoder(): return exec('1')", "exec (mine.py, line 1)"),
        ("def encoder(): return eval('1')", "eval (mine.py, line 1)"),
        (
            "import importlib\ndef encoder(a='b'): return importlib.import_module(a)",
            "import_module (mine.py, line 2)",
        ),
        ("def encoder(a='b'): return __import__(a)", "__import__ (mine.py, line 1)"),
        ("def encoder(): return open('a').read()", "open (mine.py, line 1)"),
        ("run = exec\ndef encoder(): return run('1')", "exec (mine.py, line 1)"),
        ("from json import load as j\ndef encoder(): return j(0)", "load (mine.py, line 2)"),
        ("from os import environ\ndef encoder(): return environ['A']", "os.environ (mine.py"),
        ("PATH = 1\ndef encoder(): return PATH.read_text()", "read_text (mine.py, line 2)"),
        ("import json\ndef encoder(): return json.load(0)", "load (mine.py, line 2)"),
        ("import torch\ndef encoder(): return torch.load(0)", "load (mine.py, line 2)"),
        ("import numpy as np\ndef encoder(): return np.load(0)", "load (mine.py, line 2)"),
        ("TEXT = open('x').read()\ndef encoder(): return TEXT", "open (mine.py, line 1)"),
        ("import os\ndef encoder(): return os.environ['A']", "os.environ (mine.py, line 2)"),
        (
            "from torchvision import datasets\ndef encoder(): return datasets.CIFAR10('.')",
            "CIFAR10 (mine.py, line 2)",
        ),
        (
            "from torchvision.datasets import MNIST\ndef encoder(): return MNIST('.')",
            "MNIST (mine.py, line 2)",
        ),
        (
            "from torchvision import models\ndef encoder(): return models.vgg11(weights='X')",
            "vgg11 (mine.py, line 2)",
        ),
        ("import timm\ndef encoder(): return timm.create_model('a', True)", "create_model (mine"),
        (
            "import timm\ndef encoder(): return timm.create_model('a', checkpoint_path='b')",
            "create_model (mine.py, line 2)",
        ),
        ("import h5py\ndef encoder(): return h5py.File('a')", "File (mine.py, line 2)"),
        ("from zipfile import ZipFile\ndef encoder(): return ZipFile('a')", "ZipFile (mine.py"),
        ("import requests as r\ndef encoder(): return r.get('a').content", "get (mine.py, line 2)"),
        (
            "import urllib.request\ndef encoder(): return urllib.request.Request('a')",
            "Request (mine.py, line 2)",
        ),
        (
            "from sklearn.datasets import fetch_openml\ndef encoder(): return fetch_openml('a')",
            "fetch_openml (mine.py, line 2)",
        ),
        ("import helper\ndef encoder(): return helper.data()", "open (helper.py, line 1)"),
        ("import fast\ndef encoder(): return fast.data()", "the compiled fast"),
        ("import old\ndef encoder(): return old.data()", "the compiled old.pyc"),
        ("import wrong\ndef encoder(): return wrong.data()", "wrong.py, whose source"),
    ],
)
def test_what_no_source_tells_is_told(tmp_path, text, told):
    (tmp_path / f"fast{sysconfig.get_config_var('EXT_SUFFIX')}").touch()
    (tmp_path / "old.py").write_text("def data(): return 1\n")
    py_compile.compile(str(tmp_path / "old.py"), cfile=str(tmp_path / "old.pyc"))
    (tmp_path / "old.py").unlink()
    files = {"helper.py": "def data(): return open('x').read()\n", "wrong.py": "def\n"}
    (said,) = written(tmp_path, {"mine.py": text, **files}).unseen
    assert said.startswith(told)


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        "import helper\ndef encoder(): return helper.SIZE\ndef unused(): return open('x')\n",
        "def load(): return 1\ndef encoder(): return load()\n",
        "import torch\ndef encoder(): return torch.nn.Linear(2, 2).load_state_dict\n",
        "from torchvision import models\ndef encoder(): return models.vgg11(weights=None)\n",
        "from sklearn.datasets import load_digits\ndef encoder(): return load_digits()\n",
        "import importlib\ndef encoder(): return importlib.import_module('plain').SIZE\n",
        "import timm\ndef encoder(): return timm.create_model('a', False, num_classes=3)\n",
        "from urllib import parse\ndef encoder(): return parse.quote('a')\n",
    ],
)
def test_of_what_a_source_tells_nothing_is_said(tmp_path, text):
    files = {"helper.py": "SIZE = 3\ndef data(): return open('x')\n", "plain.py": "SIZE = 3\n"}
    assert not written(tmp_path, {"mine.py": text, **files}).unseen


def reads():
    return [open("a"), open("b"), open("c"), open("d"),
            open("e"), open("f")]  # fmt: skip


def test_what_is_unseen_is_one_line_of_four_places():
    said = unseen("reads", source_digest(reads))
    assert said.startswith("reads: ") and "\n" not in said and unseen("reads", "0" * 64) is None
    assert said.count("(test_sources.py, line") == 2
