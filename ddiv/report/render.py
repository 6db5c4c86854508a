"""One self-contained HTML page from one plain dict: :func:`render`."""

from __future__ import annotations

from typing import Any

from ddiv.report.document import clean, document
from ddiv.report.view import study_titles, view


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
    page = clean(page)
    plots: list[dict] = []
    shown = view(page, plots)
    data = {"plots": plots, "scatter": page.get("scatter") or [], "studies": study_titles(page)}
    return document("page", styles=("page.css",), data=data, page=page, **shown)
