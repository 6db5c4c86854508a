"""`ddiv runs`: what ran, when, with what, and what came of it; no secrets."""

import msgspec
import pytest

from ddiv.cli.main import main
from ddiv.common.printed import without_secrets
from ddiv.run import run as runs
from tests.support.troubled import RUN, store_of_run


@pytest.fixture
def tell(tmp_path, capsys):
    store = store_of_run(tmp_path / "store")
    later = msgspec.structs.replace(
        RUN, id="20270102-040000-def", after=9.0, seconds=None, command="pytest claims -k dropout"
    )
    runs.save(store, later)
    runs.save(store, msgspec.structs.replace(RUN, counts={"contradicted": 1, "supported": 2}))

    def run(*arguments: str) -> tuple[int, list[str], str]:
        status = main(["runs", "--store", str(store.root), *arguments])
        said = capsys.readouterr()
        return status, said.out.splitlines(), said.err

    return run


def test_runs_are_listed_the_newest_first(tell):
    status, lines, _ = tell()
    assert status == 0 and [line.split()[0] for line in lines[::2]] == [
        "20270102-040000-def",
        RUN.id,
        "2",
    ]
    assert "not ended" in lines[0] and "-k dropout" in lines[1]
    assert "3 questions" in lines[2] and lines[2].endswith("2 supported, 1 contradicted")
    assert tell("--grep", "dropout")[1][-1].startswith("1 of 2 runs")


def test_one_run_is_told_whole_and_an_unknown_one_is_a_line(tell):
    _, lines, _ = tell(RUN.id)
    assert "command:     pytest claims" in lines and "workers:     1" in lines
    status, lines, error = tell("other")
    assert status == 2 and not lines and RUN.id in error and error.count("\n") == 1


def test_a_mistyped_store_is_an_error(tmp_path, capsys):
    store_of_run(tmp_path / "store")
    assert main(["runs", "--store", str(tmp_path / "stroe")]) != 0
    assert f"Did you mean {tmp_path / 'store'}?" in capsys.readouterr().err


def test_a_command_is_kept_without_secrets():
    words = ["claims", "-k", "key", "--api-key", "sk-1", "--token=abc", "-o", "auth_token=xyz"]
    address = "--data-root=https://me:word@example.org/x"
    assert without_secrets([*words, address]) == [
        *("claims", "-k", "key", "--api-key", "***", "--token=***", "-o", "auth_token=***"),
        "--data-root=https://***@example.org/x",
    ]
