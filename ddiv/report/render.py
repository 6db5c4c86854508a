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
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ddiv.report import text
from ddiv.report.view import study_titles, view

HERE = Path(__file__).parent
IMAGE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=\s]+")


def render(page: dict[str, Any]) -> str:
    """The report as one HTML file.

    Every part may be missing or None: the page then shows "—" or leaves a section out. NaN and infinities
    count as missing, but an interval whose end is missing is open there. Strings are text, never markup. ::

        page = {
          "title", "subtitle", "generated" (ISO time), "profile", "command" (how it was run),
          "alpha": .05, "seeds": [0, 1, ...],
          "run": {"seconds", "trials_trained", "trials_reused", "seconds_per_trial", "workers", "device"},
          "studies": [{"id", "title", "description", "facts": [[key, value], ...],
                       "domains": [{"id", "role": "in domain" | "out of domain"}],
                       "baseline": [{"name", "mean", "sd"}]}],       # accuracy of the baseline, 0..1
          "families": [{"id", "title"}],
          "claims": [{"id", "family", "statement", "source", "direction", "command",
                      "guards": the family that it is a negative control of, or "",
                      "findings": [FINDING, ...]}],
          "controls": {family: {"held", "of"}},                      # its negative controls
          "listed": {"alpha", "of", "tests": [test, ...]},           # selected together (e-BH)
          "over_studies": [{"claim", "variant", "verdict", "e_for", "e_against", "studies": {study: verdict}}],
          "spent": {"first", "most", "budget" (seconds), "trials", "fixed",   # seeds and trials
                    "by_seeds": [[seeds, how many findings], ...]},
          "fit": [{"claim", "study", "variant", "test", "family", "unit", "note",
                   "verdict", "effect", "equal",                     # at equal epochs; equal: standardised
                   "matched_verdict", "matched_effect", "matched",   # the same at equal clean training loss
                   "share"}],                                        # matched_effect / effect
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
                   "expected": {"verdict", "since", "reason"},       # what the ledger says
                   "note": why not applicable or not run, "caveats": [str],
                   "definitions": [[name, verdict], ...],            # the same question by other definitions
                   "evidence": EVIDENCE, "matched": EVIDENCE, "matched_note": str,
                   "plot": PLOT, "trials": [key, ...], "command"}
        EVIDENCE = {"verdict", "e_for", "e_against", "effect", "interval": [lo, hi], "level", "standardised", "n",
                    "decided_at", "unit", "effects": [per seed], "seeds": [...], "method"}
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
        **view(page, plots),
        data=_json({"plots": plots, "scatter": page.get("scatter") or [], "studies": study_titles(page)}),
        css=Markup((HERE / "page.css").read_text("utf-8")),
        scripts={name: Markup(script) for name, script in scripts.items()},
        hashes=[_hash(script) for script in scripts.values()],
    )


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
    written = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=str)
    for char in "<>&":
        written = written.replace(char, f"\\u{ord(char):04x}")  # U+2028 and U+2029 went with ensure_ascii
    return Markup(written)


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()


@cache
def _template():
    env = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=ChainableUndefined,
                      trim_blocks=True, lstrip_blocks=True)
    env.filters.update(
        num=text.number, plain=text.plain, duration=text.duration, percent=text.percent, share=text.share,
        interval=text.interval, key=text.key, glyph=text.glyph, count=text.count, dash=text.dash,
        image=lambda src: src if isinstance(src, str) and IMAGE.fullmatch(src) else None)
    env.globals["VERDICTS"] = text.VERDICTS
    return env.get_template("page.html.j2")
