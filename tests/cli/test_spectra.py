"""`ddiv spectra`: what the table says, what the files hold, and how it ends."""

from __future__ import annotations

import csv
import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ddiv.cli import spectra as command
from ddiv.cli.main import main
from ddiv.spectra.analysis import analyse, columns
from ddiv.spectra.load import load
from ddiv.spectra.matrices import WeightMatrix
from ddiv.spectra.table import Column, table, text


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    scale = (1 - torch.rand(96)) ** -0.5
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_file(
        {
            "tail.weight": torch.randn(128, 96) * scale,
            "blocks.0.attn.in_proj_weight": torch.randn(3 * 64, 64),
            "blocks.0.mlp.c_fc.weight": torch.randn(80, 64),
            "conv.weight": torch.randn(32, 24, 3, 3),
            "small.weight": torch.randn(6, 4),
            "broken.weight": torch.full((9, 9), torch.nan),
            "norm.weight": torch.ones(64),
            "norm.bias": torch.ones(64),
        },
        path,
    )
    return path


@pytest.fixture
def ddiv(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            status = main(["spectra", *map(str, arguments)])
        except SystemExit as end:  # argparse's own errors
            status = end.code
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def rows(out: str) -> dict[str, str]:
    """The table's lines by the layer's name."""
    lines = out[: out.index("\n\n")].splitlines()[2:]
    return {line.split()[0]: line for line in lines}


def test_the_table_is_the_analysis(ddiv, checkpoint, tmp_path):
    status, out, err = ddiv(checkpoint)
    loaded = load(str(checkpoint))
    analysis = analyse([m for m in loaded.matrices if m.kind != "conv-flat"], loaded.skipped)
    assert status == 0 and err == ""
    assert out.splitlines()[0] == f"{checkpoint}: file {checkpoint}"
    shown = rows(out)
    assert list(shown) == [layer.name for layer in analysis.layers]
    marks = {line.split()[0]: line for line in out.splitlines() if re.match(r"[a-z]  \d", line)}
    for layer in analysis.layers:
        line = shown[layer.name]
        alpha = f"{layer.fit.alpha:.2f}" if np.isfinite(layer.fit.alpha) else "—"
        for part in (layer.kind, f"{layer.N}×{layer.M}", alpha, layer.phase.name):
            assert part in line, layer.name
        letters = re.search(r"  ([a-z]+)  +(0\.\d{3}|—)  +\d+  ", line)  # between ± and D
        assert bool(letters) == (not layer.fit.reliable)
        told = {marks[mark].partition("reliable: ")[2] for mark in (letters[1] if letters else "")}
        assert told == set(layer.fit.reasons)
    reliable = [layer.fit.alpha for layer in analysis.layers if layer.fit.reliable]
    assert 0 < len(reliable) < len(analysis.layers)
    assert f"medians over {len(reliable)} reliable fits: alpha {np.median(reliable):.2f}" in out
    assert "9 of 32×24" in shown["conv.pooled"]
    assert (
        "skipped 3 parameters" in out
        and "2  a scalar or a vector" in out
        and "1  holds NaN or infinity" in out
    )
    assert "1 convolution measured one way only (--conv both for flat too)" in out
    assert list(tmp_path.iterdir()) == []  # no store, no files


def test_csv_and_json_hold_every_column(ddiv, checkpoint, tmp_path):
    status, out, _ = ddiv(
        checkpoint,
        "--conv",
        "both",
        "--randomise",
        "--compare",
        "--bootstrap",
        50,
        "--seed",
        7,
        "--csv",
        "a.csv",
        "--json",
        "a.json",
        "--html",
        "a.html",
    )
    assert status == 0 and out.splitlines()[-3:] == ["a.csv", "a.json", "a.html"]
    loaded = load(str(checkpoint))
    expected = columns(
        analyse(loaded.matrices, loaded.skipped, randomise=True, compare=True, bootstrap=50, seed=7)
    )
    with open("a.csv", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    stored = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert list(found[0]) == list(expected)
    assert {"random_spectral_norm", "alpha_low", "best_tail", "phase"} < set(expected)
    for name, values in expected.items():
        for value, of_csv, of_json in zip(values, found, stored["layers"], strict=True):
            assert of_csv[name] == ("" if value is None else str(value))
            assert of_json[name] == (
                None if isinstance(value, float) and not np.isfinite(value) else value
            )
    assert stored["settings"]["model"] == str(checkpoint) and stored["settings"]["seed"] == 7
    assert {s["parameter"]: s["reason"] for s in stored["skipped"]}["norm.bias"].startswith(
        "a scalar"
    )
    assert "best tail" in out and "95 % of alpha" in out and "permuted" in out
    assert "<title>" in (tmp_path / "a.html").read_text("utf-8")


@pytest.mark.parametrize(
    "options, expected",
    [
        (
            ["--layers", "blocks.*"],
            {"blocks.0.attn.q", "blocks.0.attn.k", "blocks.0.attn.v", "blocks.0.mlp.c_fc"},
        ),
        (["--layers", "tail", "--layers", "conv*"], {"tail", "conv.pooled"}),
        (["--kinds", "q,k"], {"blocks.0.attn.q", "blocks.0.attn.k"}),
        (["--kinds", "conv", "--conv", "both"], {"conv.pooled", "conv.flat"}),
        (["--kinds", "conv", "--conv", "flat"], {"conv.flat"}),
        (["--kinds", "mlp, linear", "--layers", "*.c_fc"], {"blocks.0.mlp.c_fc"}),
    ],
)
def test_layers_and_kinds(ddiv, checkpoint, options, expected):
    status, out, _ = ddiv(checkpoint, "--no-mp", *options)
    assert status == 0 and set(rows(out)) == expected
    assert "matrices not asked for" in out and "phase" not in out and "soft rank" not in out


def test_verbose_names_what_was_skipped(ddiv, checkpoint):
    _, out, _ = ddiv(checkpoint, "--verbose", "--kinds", "q")
    assert "  norm.weight: a scalar or a vector, not a matrix" in out


@pytest.mark.parametrize(
    "arguments, status, why",
    [
        ([], 2, "required"),
        (["{file}", "--conv", "sideways"], 2, "invalid choice"),
        (["{file}", "--kinds", "q,x"], 2, "unknown kind 'x'"),
        (["{file}", "--layers", "nothing*"], 2, "leave none of 9 matrices; names are such as"),
        (["{file}", "--random"], 2, "--random needs a model's name"),
        (
            ["{file}", "--csv", "no/such/folder.csv"],
            2,
            "the folder of no/such/folder.csv does not exist",
        ),
        (["{file}", "--bootstrap", "-3"], 2, "at least 50"),
        (["{file}", "--bootstrap", "49"], 2, "at least 50"),
        (["{file}", "--backend", "weightwatcher"], 2, "WeightWatcher needs a model's modules"),
        (["{file}", "--backend", "weightwatcher", "--compare"], 2, "--compare is ddiv's own"),
        (["resnet18"], 2, "write timm:resnet18 or torchvision:resnet18"),
        (["none.safetensors"], 1, "there is no file none.safetensors"),
        (["{file}", "--layers", "broken"], 1, "nothing of .* could be measured: broken holds NaN"),
    ],
)
def test_errors_are_one_line_and_a_status(ddiv, checkpoint, arguments, status, why):
    found, out, err = ddiv(*(argument.format(file=checkpoint) for argument in arguments))
    assert found == status and out == "" and re.search(why, err)
    assert err.startswith("usage:") or (err.count("\n") == 1 and err.startswith("ddiv: "))


def test_a_model_without_matrices(ddiv, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"norm.weight": torch.ones(4)}, path)
    why = "skipped: 1 parameter (a scalar or a vector, not a matrix)"
    assert ddiv(path) == (1, "", f"ddiv: {path} holds no weight matrix; {why}\n")


def test_names_from_a_file_cannot_command_the_terminal(ddiv, tmp_path):
    state = {"\x1b[2Jevil\r\n.weight": torch.randn(30, 30), "\x1b]0;x\x07": torch.ones(3)}
    save_file(state, tmp_path / "x.safetensors")
    for options in ([], ["--verbose"]):
        status, out, _ = ddiv(tmp_path / "x.safetensors", *options)
        assert status == 0 and "evil" in out and not set(out) & set("\x1b\r\x07")


def test_weightwatcher_backend_is_its_own_table(ddiv, ww, tmp_path):
    status, out, _ = ddiv(
        "timm:test_vit", "--random", "--backend", "weightwatcher", "--no-mp", "--csv", "w.csv"
    )
    assert status == 0 and "measured by WeightWatcher on the CPU" in out
    with open("w.csv", newline="") as file:
        found = list(csv.DictReader(file))
    model = load("timm:test_vit", random=True).model
    theirs = ww.main.WeightWatcher(model=model).analyze()
    assert [row["longname"] for row in found] == list(theirs.longname) and len(found) > 3
    np.testing.assert_allclose([float(row["alpha"]) for row in found], theirs.alpha, rtol=1e-12)
    assert all(name in out for name in theirs.longname)


def test_a_narrow_terminal_loses_columns_and_says_which():
    torch.manual_seed(0)
    names = [f"model.layers.{i}.self_attention.query_projection" for i in range(3)]
    matrices = [
        WeightMatrix(name, "q", torch.randn(64, 60 + i), "w") for i, name in enumerate(names)
    ]
    analysis = analyse(matrices)
    wide = text(analysis).splitlines()
    for width in (200, 120, 80, 50, 30):
        lines = text(analysis, width=width).splitlines()
        assert max(map(len, lines[:4])) <= width
        assert len({len(line.partition("q  ")[0]) for line in lines[1:4]}) == 1
        missing = set(re.findall(r"\S+", wide[0])) - set(re.findall(r"\S+", lines[0]))
        assert all(name in lines[4] for name in missing)
    assert text(analysis, width=300).splitlines() == wide
    columns = [Column("a", ["xyz", "y"], 2, right=False), Column("b", ["1", "22"], 1)]
    assert table(columns, None) == ["a     b", "xyz   1", "y    22"]


class Screen:
    def __init__(self, in_place):
        self.in_place, self.text = in_place, ""

    def isatty(self):
        return self.in_place

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("in_place", [True, False])
def test_progress_only_of_long_work(monkeypatch, in_place):
    now = [0.0]
    monkeypatch.setattr(command.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("COLUMNS", "60")
    screen = Screen(in_place)
    with command._progress(screen) as tell:
        for done in range(1, 11):
            now[0] += 0.05
            tell(done, 10, "quick")
    assert screen.text == ""
    now[0] = 0.0
    with command._progress(screen) as tell:
        for done in range(1, 41):
            now[0] += 1.0
            tell(done, 80, f"layer.{done}\x1b[2J")
    assert (
        "\x1b" not in screen.text
        and "spectra: 11 of 80 · about 1 min 9 s left · layer.11" in screen.text
    )
    if in_place:  # redrawn, and wiped at the end
        assert screen.text.count("\rspectra:") >= 39 and screen.text.endswith(
            "\r" + " " * 59 + "\r"
        )
        assert max(map(len, screen.text.split("\r"))) == 59
    else:
        assert 4 == screen.text.count("\n") == screen.text.count("spectra:")


def test_a_spreadsheet_computes_no_name_of_a_layer(ddiv, tmp_path):
    names = ["=cmd|' /C calc'!A0.weight", "+1.weight", "-1.weight", "@SUM(1).weight", "fine.weight"]
    save_file({name: torch.randn(12, 8) for name in names}, tmp_path / "m.safetensors")
    assert ddiv(tmp_path / "m.safetensors", "--csv", "a.csv", "--no-mp")[0] == 0
    with open("a.csv", newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
    assert all(float(cell) < 0 for cell in cells if cell.startswith("-"))
    assert {"fine", "'=cmd|' /C calc'!A0"} <= {cell.removesuffix(".weight") for cell in cells}


@pytest.mark.parametrize("seed", ["-1", str(2**63)])
def test_a_seed_that_cannot_be_one_is_a_wrong_use(ddiv, checkpoint, seed):
    status, _, said = ddiv(checkpoint, "--seed", seed)
    assert status == 2 and "--seed lies between 0 and" in said
