"""A run's files: any damage is noticed, told with its cause, and read past."""

import os
import re
from contextlib import suppress

import msgspec
import pytest

from ddiv.run.files import Unreadable, append, names, opened, read, sealed, text_of
from ddiv.run.notes import Finished

LINE = Finished("0028b854838e153ec7e0", "Trial", "dropout 0.1, seed 0", 1.5, "gw0")


def test_what_is_sealed_is_json_that_opens_to_the_same():
    assert opened(sealed(LINE), Finished) == LINE == opened(sealed(LINE) + b"\n", Finished)
    assert msgspec.json.decode(sealed(LINE))["key"] == LINE.key


def test_files_of_versions_without_checksums_open():
    assert opened(msgspec.json.encode(LINE), Finished) == LINE


def test_no_flipped_bit_changes_what_is_read():
    text = sealed(LINE)
    for place in range(len(text)):
        for bit in range(8):
            flipped = text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :]
            with suppress(Unreadable):
                assert opened(flipped, Finished) == LINE


@pytest.mark.parametrize(
    "content, cause",
    [
        (b"", "is empty"),
        (b"\0" * 4096, "is empty"),
        (sealed(LINE)[:40], "is damaged"),
        (sealed(LINE)[:40] + b"\0" * 200, "is damaged"),
        (sealed(LINE).replace(b"0.1", b"0.2"), "does not match its checksum"),
        (b'{"key": 1}', "is damaged, or another version of ddiv wrote it"),
        (b'{"key": "\xff\xfe"}', "is damaged"),
        (b"[" * 100_000, "is damaged"),
    ],
    ids=["empty", "zeros", "cut", "zero tail", "changed", "version", "no text", "deep"],
)
def test_a_damaged_file_is_told_with_its_name_and_its_cause(tmp_path, content, cause):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Unreadable, match=re.escape(f"{tmp_path / 'a.json'} {cause}")) as caught:
        read(tmp_path / "a.json", Finished)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_told_too(tmp_path):
    with pytest.raises(Unreadable, match=r"a\.json is missing"):
        read(tmp_path / "a.json", Finished)
    with pytest.raises(Unreadable, match=r"cannot be read \(Is a directory"):
        read(tmp_path, Finished)
    assert text_of(tmp_path) == text_of(tmp_path / "absent") == ""


def test_a_line_after_a_cut_one_is_whole(tmp_path):
    path = tmp_path / "journal.jsonl"
    append(path, b"first")
    with open(path, "ab") as file:
        file.write(b"cu")
    append(path, b"second")
    append(path, b"third")
    assert path.read_bytes() == b"first\ncu\nsecond\nthird\n"


def test_drafts_are_no_files_of_a_run(tmp_path):
    for name in ("b.json", "a.json", ".a.json.x", "c.txt"):
        (tmp_path / name).touch()
    assert names(tmp_path, ".json") == ["a.json", "b.json"] and names(tmp_path / "absent") == []


def test_a_pipe_among_a_runs_files_is_not_waited_for(tmp_path):
    os.mkfifo(pipe := tmp_path / "run.json")
    assert text_of(pipe) == ""
    with pytest.raises(Unreadable, match="a pipe or a device"):
        read(pipe, Finished)


def test_a_file_where_the_folder_of_runs_belongs_is_not_a_store_without_runs(tmp_path):
    (tmp_path / "runs").write_bytes(b"")
    with pytest.raises(Unreadable, match="Not a directory"):
        names(tmp_path / "runs")
