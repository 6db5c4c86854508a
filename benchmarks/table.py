"""Rewrites the table of ratios in benchmarks/README.md from benchmarks/results/*.json.

python benchmarks/table.py
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent
BEGIN, END = "<!-- table: python benchmarks/table.py -->", "<!-- end of table -->"
HEAD = [
    "| what | ours | peer | ratio | target | peak memory, ours (peer) |",
    "|---|---|---|---|---|---|",
]


def rows(figures: list[dict]) -> list[str]:
    """Figures of `versus` as lines of a Markdown table."""
    return [*HEAD, *map(_row, figures)]


def _row(f: dict) -> str:
    peer = f"{_seconds(f['peer_s'])} ({f['peer']})" if f["peer_s"] is not None else "-"
    ratio = f"**{f['ratio']:.3g}**" if f["ratio"] is not None else "-"
    target = f"{f['target']:g}" if f["target"] is not None else "-"
    memory = _megabytes(f["ours_peak_mb"]) + (
        f" ({_megabytes(f['peer_peak_mb'])})" if f["peer_s"] is not None else ""
    )
    what = f["what"].replace("_", " ") + (f": {f['note']}" if f["note"] else "")
    return f"| {what} | {_seconds(f['ours_s'])} | {peer} | {ratio} | {target} | {memory} |"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} s" if value >= 0.1 else f"{1000 * value:.3g} ms"


def _megabytes(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} MB"


def table(folder: Path = HERE / "results") -> str:
    """A part for each file of results that pytest-benchmark wrote, with its command and machine."""
    parts = []
    for path in sorted(folder.glob("*.json")):
        kept = json.loads(path.read_text("utf-8"))
        if "benchmarks" not in kept:
            continue
        machine, versions = kept["machine_info"], kept["versions"]
        libraries = ", ".join(f"{name} {version}" for name, version in versions.items())
        parts += [
            f"### {path.stem}",
            f"`{kept['command']}`, {kept['datetime'][:10]}, "
            f"{machine['cpu']['count']} cores ({machine['cpu'].get('brand_raw', 'unknown')}), "
            f"Python {machine['python_version']}, {libraries}",
            "",
            *rows([b["extra_info"] for b in kept["benchmarks"]]),
            "",
        ]
    return "\n".join(parts)


def rewrite(readme: Path = HERE / "README.md") -> None:
    """Put the table between its marks. ValueError where the marks are missing."""
    text = readme.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            f"{readme} has lost the lines {BEGIN} and {END} between which the table goes"
        )
    readme.write_text(f"{before}{BEGIN}\n\n{table()}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    rewrite()
