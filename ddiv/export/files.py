"""Rows as files: CSV, JSON, Parquet, and a table of findings for LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, get_args, get_type_hints

import msgspec

from ddiv.common.errors import NotWritten
from ddiv.common.printed import cell, one_line
from ddiv.export.rows import SCHEMAS, FindingRow, Row


def as_csv(rows: Iterable[Row], kind: type[Row]) -> bytes:
    """The rows as CSV with a line of names; several values in one cell are parted by "; ".

    What is not known is an empty cell. Text that a spreadsheet would compute gets an apostrophe.
    """
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(kind._fields)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return table.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, tuple):
        joined = "; ".join(one_line(each) for each in value)
        return joined if all(isinstance(each, (int, float)) for each in value) else cell(joined)
    return cell(one_line(value) if isinstance(value, str) else value)


def as_json(rows: Iterable[Row], kind: type[Row]) -> bytes:
    """The rows as JSON: `schema`, the kind's name and version, and `rows`, an object each."""
    content = {"schema": _schema(kind), "rows": [row._asdict() for row in rows]}
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def _schema(kind: type[Row]) -> str:
    return f"ddiv.{kind.__name__}/{SCHEMAS[kind]}"


def as_parquet(rows: Iterable[Row], kind: type[Row]) -> bytes:
    """The rows as Parquet with typed columns; the schema's name is in the file's metadata.

    Raises NotWritten where pyarrow is not installed: it is an extra of ddiv's.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise NotWritten(
            "Parquet needs pyarrow, which is not installed: pip install 'ddiv[parquet]', or take "
            "--csv or --json"
        ) from error
    types = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}

    def typed(hint: Any) -> Any:
        # tuple[X, ...] is a list, X | None is X: every column may lack values.
        (inner, *_) = get_args(hint) or (hint,)
        is_list = getattr(hint, "__origin__", None) is tuple
        return pa.list_(types[inner]) if is_list else types[inner]

    fields = [(name, typed(hint)) for name, hint in get_type_hints(kind).items()]
    schema = pa.schema(fields, metadata={"ddiv.schema": _schema(kind)})
    table = pa.Table.from_pylist([row._asdict() for row in rows], schema=schema)
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


# --- LaTeX --------------------------------------------------------------------------------------

_HEAD = ("Claim", "Study", "Seeds", "Effect", "Interval", "Evidence", "As claimed", "Specific")

# What LaTeX would take for a command, and the signs of ddiv's own texts that its fonts may lack.
_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": "\\textbackslash{}",
        "~": "\\textasciitilde{}",
        "^": "\\textasciicircum{}",
        "<": "\\textless{}",
        ">": "\\textgreater{}",
        "−": "$-$",
        "×": "$\\times$",
        "±": "$\\pm$",
        "≤": "$\\leq$",
        "≥": "$\\geq$",
        "→": "$\\to$",
        "α": "$\\alpha$",
        "β": "$\\beta$",
        "λ": "$\\lambda$",
        "ρ": "$\\rho$",
        "σ": "$\\sigma$",
        "–": "--",
        "…": "\\ldots{}",
    }
)


_DAGGER = r"$^\dagger$"
_HARDLY = (
    rf"\midrule\multicolumn{{8}}{{l}}{{{_DAGGER} Arms hardly fit their training set: their effects "
    r"may be those of not learning.} \\"
)


def as_latex(rows: Sequence[FindingRow]) -> bytes:
    """The findings as a `longtable`, the negative controls after a rule; with a comment that names
    the packages. Rows without a verdict are left out, and the last comment counts them. A dagger
    marks verdicts on arms that hardly fit their training set.
    """
    told = [row for row in rows if row.claimed is not None]
    of_paper = [row for row in told if not row.control_of]
    controls = [row for row in told if row.control_of]
    runs = ", ".join(dict.fromkeys(one_line(row.run) for row in rows))
    lines = [
        f"% Findings of ddiv, run {runs}. Needs \\usepackage{{booktabs,longtable}}.",
        "% Effect: median over seeds. Evidence: capital for / against the claim; 1/alpha decides.",
        r"\begin{longtable}{llrrrrll}",
        r"\toprule",
        " & ".join(_HEAD) + r" \\",
        r"\midrule\endhead",
        r"\bottomrule\endfoot",
        *map(_line, of_paper),
        *([r"\midrule", r"\multicolumn{8}{l}{Negative controls} \\"] if controls else ()),
        *map(_line, controls),
        *([_HARDLY] if any(row.hardly_trained for row in told) else ()),
        r"\end{longtable}",
        f"% {len(rows) - len(told)} questions without a verdict are not in the table.",
    ]
    return ("\n".join(lines) + "\n").encode()


def _line(row: FindingRow) -> str:
    name = f"{row.claim} ({row.variant})" if row.variant else row.claim
    evidence = f"${_number(row.evidence_for)}$ / ${_number(row.evidence_against)}$"
    if row.p is not None:
        evidence = f"$p={row.p:.2g}$"
    cells = (
        latex(name),
        latex(row.study),
        str(len(row.seeds)),
        f"${_number(row.effect)}$",
        f"$[{_number(row.low)}, {_number(row.high)}]$",
        evidence,
        latex(row.claimed or "") + _DAGGER * bool(row.hardly_trained),
        latex(row.specific or "--"),
    )
    return " & ".join(cells) + r" \\"


def _number(number: float | None) -> str:
    """Three digits; a dot in the middle where an end is not known."""
    if number is None:
        return r"\cdot"
    mantissa, _, exponent = f"{number:.3g}".partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return one_line(text).translate(_LATEX)
