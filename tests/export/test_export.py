"""Findings, records and measurements as rows and files, and the commands that write them."""

import csv
import io
import json
import sys
from types import SimpleNamespace

import msgspec
import numpy as np
import pandas as pd
import pytest

import ddiv
from ddiv.cli.main import main
from ddiv.export import cite, files
from ddiv.export.rows import SCHEMAS, FindingRow, MeasurementRow
from ddiv.finding import answer
from ddiv.finding.reader import Reader
from ddiv.run import run as runs
from ddiv.trial.store import StoreError
from tests.support.smoke import STUDY
from tests.support.troubled import FINE, RUN, STRONG, damage, store_of_run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_of_run(tmp_path_factory.mktemp("export") / "store")


def test_a_finding_is_a_row_and_so_is_what_has_none(store):
    fine, failed, killed = ddiv.findings(store.root)
    evidence = answer(FINE, Reader(store)).evidence
    assert (fine.verdict, fine.claimed) == ("contradicted", evidence.verdict)
    assert (fine.effect, fine.evidence_against) == (evidence.effect, evidence.e_against)
    assert fine.effects == evidence.effects and fine.seeds == FINE.seeds
    assert (fine.low, fine.high) == evidence.interval and fine.direction == "falls"
    assert (failed.verdict, killed.verdict) == ("error", "not run")
    assert "not a number" in failed.reason and failed.effect is None and failed.claimed is None
    assert fine == ddiv.findings(store, RUN.id)[0]


def test_an_end_that_seeds_are_too_few_for_is_no_number():
    from ddiv.export.of_run import row
    from tests.support.made_findings import found

    made = found([-1.0, -2.0])
    assert np.isinf(made.evidence.interval).any()
    shown = row(RUN, made.asked, made)
    assert None in (shown.low, shown.high) and shown.verdict == "inconclusive"


def test_pandas_makes_typed_columns_of_rows(store):
    table = pd.DataFrame(ddiv.findings(store))
    assert list(table) == list(FindingRow._fields) and set(table["schema"]) == {1}
    assert table["effect"].dtype == float and table["withheld"].dtype == bool
    records = pd.DataFrame(ddiv.records(store))
    assert len(records) == len(store.keys()) and set(records["kind"]) == {"trial"}
    assert set(records["study"]) == {STUDY.name} and "baseline" in set(records["arm"])
    numbers = pd.DataFrame(ddiv.measurements(store))
    of_arm = numbers[numbers["arm"] == STRONG.label]
    norms = of_arm.query("outcome == 'frobenius_norm' and where == 'classifier'")
    plain = numbers[numbers["arm"] == "baseline"]
    plain = plain.query("outcome == 'frobenius_norm' and where == 'classifier'")
    # As planted, and as the claim's effect says.
    effect = ddiv.findings(store)[0].effect
    assert np.median(norms["value"].values - plain["value"].values) == pytest.approx(effect)
    assert {"alpha", "accuracy", "ece"} <= set(numbers["outcome"])
    assert numbers.query("outcome == 'alpha'")["reliable"].between(0, 1).all()


def test_csv_and_json_hold_the_same_and_no_formula(store):
    rows = ddiv.findings(store)
    rows[0] = rows[0]._replace(statement="=1+1", caveats=("one\nline", "two"))
    first, *_ = csv.DictReader(io.StringIO(files.as_csv(rows, FindingRow).decode()))
    assert first["statement"] == "'=1+1" and first["caveats"] == "one line; two"
    assert float(first["effect"]) == rows[0].effect and first["p"] == ""
    # Numbers are numbers, whatever their sign: no apostrophe before the first.
    rows[0] = rows[0]._replace(effects=(-0.5, 0.25))
    first, *_ = csv.DictReader(io.StringIO(files.as_csv(rows, FindingRow).decode()))
    assert [float(each) for each in first["effects"].split("; ")] == [-0.5, 0.25]
    content = json.loads(files.as_json(rows, FindingRow))
    assert content["schema"] == "ddiv.FindingRow/1" == f"ddiv.FindingRow/{SCHEMAS[FindingRow]}"
    assert content["rows"][0]["effects"] == list(rows[0].effects)
    assert [row["verdict"] for row in content["rows"]] == ["contradicted", "error", "not run"]


def test_parquet_has_the_types_of_the_rows(store, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    path.write_bytes(files.as_parquet(ddiv.findings(store), FindingRow))
    table = parquet.read_table(path)
    types = {field.name: str(field.type) for field in table.schema}
    assert types["seeds"].startswith("list<") and types["effect"] == "double"
    assert types["negligible"] == "bool" and types["decided_at"] == "int64"
    assert table.schema.metadata[b"ddiv.schema"] == b"ddiv.FindingRow/1"
    assert table.column("verdict").to_pylist() == ["contradicted", "error", "not run"]


def test_without_pyarrow_parquet_is_a_line_that_says_what_to_install(store, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["findings", "--parquet", "x.parquet", "--store", str(store.root)]) == 1
    assert "pip install 'ddiv[parquet]'" in capsys.readouterr().err


def test_the_latex_table_escapes_its_texts_and_counts_what_is_left_out(store):
    rows = ddiv.findings(store)
    rows[0] = rows[0]._replace(claim="a_b & 50 %", effect=-1.5e-7)
    text = files.as_latex(rows).decode()
    assert r"a\_b \& 50 \%" in text and r"$-1.5 \cdot 10^{-7}$" in text
    assert "2 questions without a verdict" in text
    (line,) = [each for each in text.splitlines() if each.startswith(r"a\_b")]
    assert line.count(" & ") == 7 and line.endswith(r"\\") and "contradicted" in line
    assert (r"contradicted$^\dagger$" in line) == bool(rows[0].hardly_trained)
    marked = files.as_latex([rows[0]._replace(hardly_trained=True)]).decode()
    assert marked.count(r"$^\dagger$") == 2 and "hardly fit" in marked
    clean = files.as_latex([rows[0]._replace(hardly_trained=False)]).decode()
    assert "dagger" not in clean


def test_the_commands_write_files_and_streams(store, tmp_path, capsysbinary, monkeypatch):
    place = ["--store", str(store.root)]
    # One question ended in an error, as `ddiv report` tells.
    assert main(["findings", "--csv", str(tmp_path / "f.csv"), "--json", *place]) == 1
    streamed = capsysbinary.readouterr().out
    assert json.loads(streamed)["rows"] and (tmp_path / "f.csv").read_text().count("\n") == 4
    assert main(["findings", "--grep", "fine", *place]) == 0
    assert b"1 questions" in capsysbinary.readouterr().out
    assert main(["records", "--measurements", "--csv", *place]) == 0
    head, *rows = capsysbinary.readouterr().out.decode().splitlines()
    assert head.split(",") == list(MeasurementRow._fields) and len(rows) > 100
    assert main(["trials", *place]) == 0
    assert STUDY.name.encode() in capsysbinary.readouterr().out.splitlines()[0]


def test_a_damaged_record_is_told_and_the_others_are_rows(tmp_path, capsys):
    store = store_of_run(tmp_path / "store")
    damage(store, STRONG, 0)
    assert main(["records", "--csv", "--store", str(store.root)]) == 1
    told = capsys.readouterr()
    assert "is damaged" in told.err and len(told.out.splitlines()) == len(store.keys())


def test_what_is_not_there_is_a_line(store, tmp_path, capsys):
    with pytest.raises(StoreError, match=r"no run 'x'.*20270102-030405-abc"):
        ddiv.findings(store, "x")
    assert main(["findings", "--store", str(store.root.with_name("stroe"))]) == 1
    assert f"Did you mean {store.root}?" in capsys.readouterr().err
    assert main(["records", "--store", str(tmp_path)]) == 1
    assert "is no store" in capsys.readouterr().err


def test_a_citation_names_the_run_or_none(store, capsys):
    assert main(["cite", "--store", str(store.root)]) == 0
    said = capsys.readouterr().out
    assert "@software{ddiv" in said and "@article{ba2024data" in said and "2410.14602" in said
    assert RUN.id in said and "3 to 7 seeds a claim" in said and "made on this" in said
    assert main(["cite", "--store", str(store.root / "absent")]) == 0
    assert RUN.id not in capsys.readouterr().out
    told = cite.sentence(SimpleNamespace(**{f: getattr(RUN, f) for f in RUN.__struct_fields__}))
    assert "level 0.05" in told and "made on" not in told


def test_a_run_whose_questions_are_damaged_is_told(tmp_path, capsys):
    store = store_of_run(tmp_path / "store")
    runs.save_ended(store, RUN, 1.0)
    min((runs.folder(store, RUN.id) / "asked").iterdir()).unlink()
    assert main(["findings", "--csv", "--store", str(store.root)]) == 1
    assert "1 question of the run" in capsys.readouterr().err


def test_a_run_that_has_not_ended_is_told(tmp_path, capsys):
    store = store_of_run(tmp_path / "store")
    runs.save(store, msgspec.structs.replace(RUN, seconds=None))
    main(["findings", "--csv", "--store", str(store.root)])
    before = capsys.readouterr().err
    runs.save_ended(store, RUN, 1.0)
    main(["findings", "--csv", "--store", str(store.root)])
    assert f"the run {RUN.id} has not ended" in before and not capsys.readouterr().err
