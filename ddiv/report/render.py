"""One self-contained HTML page from one plain dict: :func:`render`."""

from __future__ import annotations

from typing import Any

from ddiv.report.changes import NAMES
from ddiv.report.document import clean, document
from ddiv.report.view import study_titles, view

# What the script needs of a picture; the rest is in the template.
DRAWN = ("id", "label", "kind", "studies", "groups", "pairs", "by", "view")


def render(page: dict[str, Any]) -> str:
    """The report as one HTML file.

    Every part may be missing or None: the page then shows "—" or leaves a section out. NaN and
    infinities count as missing, but an interval whose end is missing is open there. Strings are
    text, never markup. ::

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
          "listed": {"alpha", "of", "repeats", "tests": [test, ...]},  # selected together (e-BH); findings that repeat a question
          "over_studies": [{"claim", "variant", "verdict", "e_for", "e_against", "somewhere", "studies": {study: verdict}}],
          "spent": {"first", "most", "budget" (seconds), "trials", "fixed",   # seeds and trials
                    "by_seeds": [[seeds, how many findings], ...]},
          "fit": [{"claim", "study", "variant", "test", "family", "unit", "note",
                   "verdict", "effect", "equal",                     # at equal epochs; equal: standardised
                   "matched_verdict", "matched_effect", "matched",   # the same at equal clean training loss
                   "share"}],                                        # matched_effect / effect
          "materials": [{"study", "changes", "diversity", "densities",   # see report.changes, .diversity, .densities
                         "scores": {"study", "columns": ["in domain acc", ...], "note",
                                    "better": ["higher" | "lower" | None, ...],    # optional; else from the column's name
                                    "rows": [{"arm", "group",
                                              "cells": [{"mean", "sd", "delta", "paper", "paper_delta"} | None, ...]}],
                                    "further": [rows of the same shape]}}],
          "pictures": what report.pictures makes of the materials,
          "generators": [what report.sheets.of_generator makes],
          "contact_sheets": [{"study", "caption", "png": "data:image/png;base64,..."}],
          "settings", "versions", "hardware": [[key, value], ...], "warnings": [str],
        }
        FINDING = {"test", "study", "variant", "verdict": a word of VERDICTS,
                   "statement", "direction",                         # its own, where claims of one id say several things
                   "expected": {"verdict", "since", "reason"},       # what the ledger says
                   "note": why not applicable or not run, "caveats": [str],
                   "definitions": [[name, verdict], ...],            # the same question by other definitions
                   "evidence": EVIDENCE, "matched": EVIDENCE, "matched_note": str,
                   "explained": str, "derived": [[name, value, low, high], ...],
                   "plot": PLOT, "trials": [key, ...], "command"}
        EVIDENCE = {"verdict", "e_for", "e_against", "effect", "interval": [lo, hi], "level", "standardised", "n",
                    "decided_at", "unit", "effects": [per seed], "seeds": [...], "method"}
        PLOT = {"kind": "dose", "xlabel", "ylabel", "x": [dose], "series": [{"seed", "y", "matched"}]}
             | {"kind": "paired", "xlabel", "ylabel", "arms": [name], "series": [{"seed", "y", "matched"}]}
             | {"kind": "bars", "ylabel", "x": [name], "series": [{"seed", "y"}]}
             | {"kind": "relation", "xlabel", "ylabel", "points": [{"label", "group", "x", "y"}]}

    Groups with a marker of their own: those of `Treatment.group` and "very large dropout".
    """
    page = clean(page)
    plots: list[dict] = []
    shown = view(page, plots)
    data = {
        "plots": plots,
        "studies": study_titles(page),
        "names": NAMES,
        "materials": {
            one["study"]: {part: one.get(part) for part in ("changes", "diversity", "densities")}
            for one in page.get("materials") or []
            if one.get("study")
        },
        "pictures": [{part: picture.get(part) for part in DRAWN} for picture in shown["pictures"]],
    }
    return document(
        "page",
        styles=("page.css", "pictures.css"),
        scripts=("esd.js", "plots.js", "pictures.js", "page.js"),
        data=data,
        page=page,
        **shown,
    )
