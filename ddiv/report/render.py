"""One self-contained HTML page from one plain dict: :func:`render`.

Text reaches the page through Jinja2's autoescape, data for the plots as JSON in a script element that the
browser does not execute. A Content-Security-Policy in the page allows the page's own two scripts, by their
hashes, and nothing else: no request to a network, no script or event handler smuggled in by a string.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup
from plotly.offline import get_plotlyjs

HERE = Path(__file__).parent
VERDICTS = {  # word: (css class, glyph), in the order in which they are counted
    "supported": ("sup", "✓"),
    "contradicted": ("con", "✗"),
    "inconclusive": ("inc", "?"),
    "not applicable": ("na", "–"),
    "not run": ("run", "○"),
}
MANY_FINDINGS = 300  # beyond this the claims start closed
LOWER_IS_BETTER = ("ece", "nll", "brier", "loss", "error")
HIGHER_IS_BETTER = ("acc", "accuracy", "top-1", "auc", "f1")
IMAGE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=\s]+")


def render(page: dict[str, Any]) -> str:
    """The report as one HTML file.

    Every part may be missing or None: the page then shows "—" or leaves a section out. NaN and infinities
    count as missing. Strings are text, never markup. ::

        page = {
          "title", "subtitle", "generated" (ISO time), "profile", "command" (how it was run),
          "alpha": .05, "seeds": [0, 1, ...],
          "run": {"seconds", "trials_trained", "trials_reused", "seconds_per_trial", "workers", "device"},
          "studies": [{"id", "title", "description", "facts": [[key, value], ...],
                       "domains": [{"id", "role": "in domain" | "out of domain"}],
                       "baseline": [{"name", "mean", "sd"}]}],       # accuracy of the baseline, 0..1
          "families": [{"id", "title"}],
          "claims": [{"id", "family", "statement", "source", "direction", "command",
                      "findings": [FINDING, ...]}],
          "scatter": [{"study", "view", "x", "y",                    # x, y: the metrics' names
                       "points": [{"arm", "group", "size", "intensity", "x", "y", "xs", "ys"}]}],
          "table2": [{"study", "columns": ["in domain acc", ...], "note",
                      "better": ["higher" | "lower" | None, ...],    # optional; else from the column's name
                      "rows": [{"arm", "group", "cells": [{"mean", "sd", "delta"} | None, ...]}],
                      "paper": [rows of the same shape]}],
          "contact_sheets": [{"study", "caption", "png": "data:image/png;base64,..."}],
          "settings", "versions", "hardware": [[key, value], ...], "warnings": [str],
        }
        FINDING = {"test", "study", "variant", "verdict": a word of VERDICTS,
                   "expected": reason of a known non-reproduction, "note": why not applicable or not run,
                   "caveats": [str], "evidence": EVIDENCE, "matched": EVIDENCE, "matched_note": str,
                   "plot": PLOT, "trials": [key, ...], "command"}
        EVIDENCE = {"verdict", "effect", "interval": [lo, hi], "level", "standardised", "p_for", "p_against",
                    "n", "unit", "effects": [per seed], "seeds": [...], "method"}
        PLOT = {"kind": "dose", "xlabel", "ylabel", "x": [dose], "series": [{"seed", "y", "matched"}]}
             | {"kind": "paired", "xlabel", "ylabel", "arms": [name], "series": [{"seed", "y", "matched"}]}
             | {"kind": "bars", "ylabel", "x": [name], "series": [{"seed", "y"}]}
             | {"kind": "vectors", "xlabel", "ylabel", "points": [{"label", "group", "x", "y"}]}

    Groups with a marker of their own: baseline, dropout, weight decay, augmentation, synthetic, control.
    """
    page = _clean(page)
    plots: list[dict] = []
    scripts = {"plotly": get_plotlyjs(), "js": (HERE / "page.js").read_text("utf-8")}
    return _template().render(
        page=page,
        **_view(page, plots),
        data=_json({"plots": plots, "scatter": page.get("scatter") or [], "studies": _titles(page)}),
        css=Markup((HERE / "page.css").read_text("utf-8")),
        scripts={name: Markup(text) for name, text in scripts.items()},
        hashes=[_hash(text) for text in scripts.values()],
    )


# --- what the template shows ---------------------------------------------------------------------------


def _view(page: dict, plots: list[dict]) -> dict[str, Any]:
    taken: set[str] = set()
    claims = [_claim(claim, plots, taken) for claim in page.get("claims") or []]
    findings = [finding for claim in claims for finding in claim["findings"]]
    titles = _titles(page)
    columns = list(dict.fromkeys([*titles, *(f["study"] for f in findings)]))
    columns = [study for study in columns if any(f["study"] == study for f in findings)]
    families = {f["id"]: {"title": f.get("title") or f["id"], "claims": []} for f in page.get("families") or []}
    for claim in claims:
        family = claim.get("family") or "other claims"
        families.setdefault(family, {"title": family, "claims": []})["claims"].append(claim)
        claim["cells"] = [_cell([f for f in claim["findings"] if f["study"] == study]) for study in columns]
    return {
        "titles": {study: titles.get(study, study) for study in columns},
        "families": [family for family in families.values() if family["claims"]],
        "findings": findings,
        "tally": _tally(findings),
        "summary": _summary(page, claims, findings, columns),
        "open_claims": len(findings) <= MANY_FINDINGS,
        "tables": [_table(table) for table in page.get("table2") or []],
        "min_p": 0.5 ** len(page["seeds"]) if page.get("seeds") else None,
        "methods": sorted({e["method"] for f in findings for e in (f.get("evidence"), f.get("matched"))
                           if e and e.get("method")}),
        "scatter": [s for s in page.get("scatter") or [] if s.get("points")],
    }


def _claim(claim: dict, plots: list[dict], taken: set[str]) -> dict:
    anchor = _anchor("c", claim.get("id"), taken)
    findings = []
    # One scale for all strips of a claim in one study and unit: studies can differ by orders of magnitude.
    reach: dict[tuple, float] = defaultdict(float)
    for raw in claim.get("findings") or []:
        for evidence in filter(None, (raw.get("evidence"), raw.get("matched"))):
            scale = (raw.get("study"), evidence.get("unit"))
            reach[scale] = max([reach[scale], *map(abs, _values(evidence))])
    for raw in claim.get("findings") or []:
        evidence, matched = raw.get("evidence") or {}, raw.get("matched") or {}
        finding = dict(raw, study=raw.get("study") or "—", verdict=raw.get("verdict") or "not run")
        finding["anchor"] = _anchor("f", f"{anchor[2:]} {finding['study']} {raw.get('variant') or ''}", taken)
        finding["key"] = _key(finding["verdict"])
        finding["matched_verdict"] = matched.get("verdict")
        finding["matched_key"] = _key(matched.get("verdict"))
        finding["differs"] = bool(matched) and matched.get("verdict") != finding["verdict"]
        finding["surprise"] = finding["key"] == "con" and not raw.get("expected")
        finding["p"] = _p(finding["verdict"], evidence)
        most = reach.get((raw.get("study"), evidence.get("unit")), 0.0)
        finding["digits"] = _digits(most)
        finding["strip"] = _strip(evidence, matched, most)
        if raw.get("plot"):
            finding["plot_id"] = len(plots)
            plots.append(raw["plot"])
        findings.append(finding)
    return dict(claim, anchor=anchor, findings=findings, tally=_tally(findings))


def _tally(findings: list[dict]) -> dict[str, Any]:
    def count(words):
        counts = Counter(words)
        known = [(word, counts.pop(word)) for word in VERDICTS if counts[word]]
        return [*known, *((word, n) for word, n in counts.items() if n)]

    return {
        "equal": count(f["verdict"] for f in findings),
        "matched": count(f["matched_verdict"] for f in findings if f["matched_verdict"]),
        "expected": sum(f["key"] == "con" and bool(f.get("expected")) for f in findings),
        "surprise": sum(f["surprise"] for f in findings),
        "differs": sum(f["differs"] for f in findings),
    }


def _cell(findings: list[dict]) -> dict | None:
    if not findings:
        return None
    tally = _tally(findings)
    one = tally["equal"][0][0] if len(tally["equal"]) == 1 else None
    return {**tally, "one": one, "n": len(findings), "study": findings[0]["study"]}


def _summary(page: dict, claims: list, findings: list[dict], columns: list) -> str:
    if not findings:
        return ""
    counts = dict(_tally(findings)["equal"])
    expected = sum(f["key"] == "con" and bool(f.get("expected")) for f in findings)
    parts = []
    for word, n in counts.items():
        part = f"{n:,} {'are' if n != 1 else 'is'} {word}" if not parts else f"{n:,} {word}"
        if word == "contradicted":
            part += " (all of them expected)" if expected == n else f" ({expected:,} of them expected)"
        parts.append(part)
    text = (f"{_count(len(claims), 'claim')} looked at in {_count(len(columns), 'study', 'studies')}: "
            f"of {_count(len(findings), 'finding')} {_and(parts)}.")
    supported = [f for f in findings if f["key"] == "sup" and f["matched_verdict"]]
    if supported:
        kept = sum(f["matched_key"] == "sup" for f in supported)
        text += (f" Of the {len(supported):,} supported at equal epochs that were also compared at equal fit, "
                 f"{kept:,} {'stays' if kept == 1 else 'stay'} supported.")
    return text


def _table(table: dict) -> dict:
    columns = [str(c) for c in table.get("columns") or []]
    split = [c.rsplit(" ", 1) if " " in c else [c, ""] for c in columns]
    groups: list[list] = []
    for head, _ in split:
        if groups and groups[-1][0] == head:
            groups[-1][1] += 1
        else:
            groups.append([head, 1])
    better = list(table.get("better") or [])
    better += [_better(c) for c in columns[len(better):]]
    blocks = [block for block in (
        {"title": None, "rows": _rows(table.get("rows"), better)},
        {"title": "as printed in the paper", "rows": _rows(table.get("paper"), better)},
    ) if block["rows"]]
    for block in blocks:
        block["deltas"] = any(_isnum(cell.get("delta")) for row in block["rows"] for cell in row["cells"])
    starts = set()
    for _, width in groups:
        starts.add(sum(w for _, w in groups[: len(starts)]))
    return dict(table, groups=groups, subheads=[tail for _, tail in split], better=better, blocks=blocks,
                starts=starts, two_levels=any(tail for _, tail in split))


def _rows(rows: list[dict] | None, better: list) -> list[dict]:
    rows = [dict(row, cells=[dict(cell or {}) for cell in row.get("cells") or []]) for row in rows or []]
    rows.sort(key=lambda row: (row.get("group") or row.get("arm")) != "baseline")
    for i, way in enumerate(better):
        column = [row["cells"][i] for row in rows if len(row["cells"]) > i]
        cells = [cell for cell in column if _isnum(cell.get("mean"))]
        if not cells:
            continue
        largest = max(abs(cell["mean"]) for cell in cells)
        digits = 3 if largest < 10 else 2 if largest < 100 else 1
        best = {"higher": max, "lower": min}.get(way, lambda _: None)([round(c["mean"], digits) for c in cells])
        for cell in cells:
            cell["digits"], cell["best"] = digits, len(cells) > 1 and round(cell["mean"], digits) == best
    return rows


def _better(column: str) -> str | None:
    words = column.lower().split()
    if any(word in LOWER_IS_BETTER for word in words):
        return "lower"
    return "higher" if any(word in HIGHER_IS_BETTER for word in words) else None


def _strip(evidence: dict, matched: dict, most: float) -> Markup:
    """Effects of the seeds as dots, their interval as a line, zero in the middle; the fit-matched ones below."""
    lanes = []
    for lane, (e, y) in enumerate(((evidence, 6), (matched, 13))):
        if not e or not most or not _values(e):
            continue

        def at(value: float, most=most) -> str:
            return f"{60 + 55 * value / most:.1f}"

        lo, hi = _interval(e)
        line = f'<path d="M{at(lo)} {y}H{at(hi)}"/>' if lo is not None else ""
        dots = "".join(f"M{at(v)} {y}h0" for v in e.get("effects") or [] if _isnum(v))
        middle = f'<path class="middle" d="M{at(e["effect"])} {y - 3.5}v7"/>' if _isnum(e.get("effect")) else ""
        lanes.append(f'<g class="{_key(e.get("verdict"))}{" fit" if lane else ""}">{line}'
                     f'<path class="dots" d="{dots}"/>{middle}</g>')
    if not lanes:
        return Markup("")
    return Markup('<svg class="strip" viewBox="0 0 120 19" aria-hidden="true"><path class="zero" d="M60 0v19"/>'
                  + "".join(lanes) + "</svg>")


# --- small helpers ---------------------------------------------------------------------------------------


def _clean(value: Any) -> Any:
    """A deep copy in plain Python numbers and in strings without lone surrogates, which are no Unicode text;
    NaN and infinities are None, and what is None is not in its dict."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {_clean(str(key)): new for key, v in value.items() if (new := _clean(v)) is not None}
    if isinstance(value, (list, tuple)):
        return [_clean(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(value: Any) -> Markup:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=str)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")  # U+2028 and U+2029 went with ensure_ascii
    return Markup(text)


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()


def _anchor(kind: str, text: Any, taken: set[str]) -> str:
    base = anchor = f"{kind}-{re.sub(r'[^a-z0-9]+', '-', str(text or '').lower()).strip('-') or 'x'}"
    count = 1
    while anchor in taken:
        count += 1
        anchor = f"{base}-{count}"
    taken.add(anchor)
    return anchor


def _titles(page: dict) -> dict[str, str]:
    return {s["id"]: s.get("title") or s["id"] for s in page.get("studies") or [] if s.get("id")}


def _isnum(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _interval(evidence: dict) -> tuple:
    interval = evidence.get("interval") or (None, None)
    return tuple(interval) if len(interval) == 2 and all(map(_isnum, interval)) else (None, None)


def _values(evidence: dict) -> list[float]:
    values = [evidence.get("effect"), *_interval(evidence), *(evidence.get("effects") or [])]
    return [v for v in values if _isnum(v)]


def _p(verdict: str, evidence: dict) -> float | None:
    """The p value of the verdict's direction; of the better direction where there is no verdict."""
    both = {"supported": evidence.get("p_for"), "contradicted": evidence.get("p_against")}
    if verdict in both:
        return both[verdict]
    return min((p for p in both.values() if _isnum(p)), default=None)


def _digits(most: float | None) -> int | None:
    """Decimals that give numbers up to `most` three significant digits: the same for all rows of a claim in a unit."""
    return min(6, max(0, 2 - math.floor(math.log10(most)))) if most else None


def _count(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _and(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def _key(verdict: Any) -> str:
    return VERDICTS.get(verdict, ("unk", ""))[0]


def _glyph(verdict: Any) -> str:
    return VERDICTS.get(verdict, ("unk", "·"))[1]


def number(value: Any, sign: bool = False, digits: int | None = None) -> str:
    """Three significant digits, or `digits` decimals, with a real minus; "—" for what is not a number."""
    if not _isnum(value):
        return str(value) if value not in (None, "") and not isinstance(value, ChainableUndefined) else "—"
    if digits is not None:
        text = f"{value:.{digits}f}"
    elif value == 0 or 1e-4 <= abs(value) < 1e5:
        decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
        text = str(value) if isinstance(value, int) else f"{value:.{decimals}f}"
        if 0 < abs(value) < 0.01:
            text = f"{value:.5f}".rstrip("0")
    else:
        text = f"{value:.1e}"
    if re.fullmatch(r"-[0.]+", text):
        text = text[1:]
    return ("+" if sign and value > 0 and text.strip("0.") else "") + text.replace("-", "−")


def duration(seconds: Any) -> str:
    if not _isnum(seconds):
        return "—"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def percent(value: Any) -> str:
    return f"{100 * value:.4g} %" if _isnum(value) else "—"


@cache
def _template():
    env = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=ChainableUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    env.filters.update(
        num=number, plain=lambda value: f"{value:g}" if isinstance(value, float) else number(value), duration=duration, percent=percent, key=_key, glyph=_glyph, count=_count,
        dash=lambda value: "—" if value in (None, "") or isinstance(value, ChainableUndefined) else value,
        image=lambda src: src if isinstance(src, str) and IMAGE.fullmatch(src) else None,
    )
    env.globals["VERDICTS"] = VERDICTS
    return env.get_template("page.html.j2")
