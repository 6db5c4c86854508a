"""What is done to a user's function from outside its file is a part of its digest."""

import runpy
import sys

import pytest

from ddiv.common.digests import source_digest


@pytest.fixture(autouse=True)
def no_module_stays():
    """Other tests have files of these names."""
    yield
    for name in ("helper", "patch"):
        sys.modules.pop(name, None)


NET = (
    "import functools\nSIZE = 3\nSIZES = {'a': 1}\ndef net(): return SIZE, SIZES\n"
    "def twice(f):\n    @functools.wraps(f)\n    def inner(): return 2 * f()\n    return inner\n"
)


@pytest.mark.parametrize(
    "line",
    [
        "helper.SIZE = 7",
        "setattr(helper, 'SIZE', 7)",
        "helper.SIZES.update(a=7)",
        "def change():\n    helper.SIZE = 7\nchange()",
        "import patch",
        "def outer(f):\n    @functools.wraps(f)\n    def inner(): return 7, f()\n    return inner\n"
        "net = outer(net)",
        "@functools.wraps(net)\ndef net(): return 7",
    ],
)
def test_what_the_file_that_asks_does_to_a_function_of_another_file_counts(
    tmp_path, monkeypatch, line
):
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest(done):
        lines = ["import functools", "import helper", "from helper import net", done]
        lines += ["from ddiv.models.own import own_model", "MODEL = own_model(net)"]
        (tmp_path / "helper.py").write_text(NET)
        (tmp_path / "patch.py").write_text(f"import helper\nhelper.SIZE = {done.count('8')}\n")
        (tmp_path / "study.py").write_text("\n".join(lines))
        for name in ("helper", "patch"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        return runpy.run_path(str(tmp_path / "study.py"))["MODEL"].source

    changed = "import patch  # 8" if line == "import patch" else line.replace("7", "8")
    assert len({digest("EPOCHS = 7"), digest(line), digest(changed)}) == 3
    assert digest("EPOCHS = 7") == digest("EPOCHS = 8")


def test_a_decorator_around_a_function_counts_wherever_it_is_put(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def digest(text, decorated):
        (tmp_path / "helper.py").write_text(text)
        monkeypatch.delitem(sys.modules, "helper", raising=False)
        import helper

        return source_digest(helper.twice(helper.net) if decorated else helper.net)

    plain, other = NET, NET.replace("2 * f()", "3 * f()")
    assert digest(plain, True) != digest(other, True)
    assert digest(plain, False) == digest(other, False)
