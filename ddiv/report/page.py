"""From a run in the store to the page's data: every question is answered again from the stored records."""

from __future__ import annotations

import base64
import io
import platform
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np

from ddiv import outcome as outcomes, run as runs
from ddiv.claim import Bench, Contrast, Largest, NotApplicable, Opposite, Resemblance, Trend, Unmatched, view
from ddiv.evidence import Evidence
from ddiv.finding import Asked, Finding, Reader, SeedBench, answer
from ddiv.outcome import Score, Spectral, Vendi
from ddiv.machine import processor_name, usable_cores
from ddiv.plan import journal
from ddiv.report import summary
from ddiv.report.render import render
from ddiv.store import Store, StoreError, write_atomically
from ddiv.study import Clip, Study
from ddiv.treatment import BASELINE, Augmentation, Dropout, Treatment, WeightDecay
from ddiv.trial import key, trial
from ddiv.wording import rerun

# Figure 3 and 4 of v1: a scale metric against a shape metric, as changes from before to after training.
SCATTER = (("frobenius_norm", "alpha"), ("frobenius_norm", "entropy_raw"), ("frobenius_norm", "entropy_normalised"),
           ("spectral_norm", "alpha"))
# The paper's order; families that are not named here follow.
FAMILIES = ("dropout", "weight decay", "augmentation", "data diversity", "generalisation", "controls")
PACKAGES = ("ddiv", "torch", "torchvision", "open_clip_torch", "numpy", "scipy", "vendi-score", "pytest", "pytest-xdist")


def write(store: Store, run_id: str, path: Path) -> Path:
    """Write the page of a run. Raises OSError, FileNotFoundError for an unknown run."""
    write_atomically(path, render(page(store, runs.load(store, run_id))).encode())
    return path


def page(store: Store, run: runs.Run) -> dict:
    """The data of the page, as `ddiv.report.render.render` describes it."""
    reader, asked = Reader(store), runs.load_asked(store, run.id)
    asked.sort(key=lambda one: FAMILIES.index(one.claim.family) if one.claim.family in FAMILIES else len(FAMILIES))
    answers = {one.test: _answer(one, reader) for one in asked}
    found = [one for one in answers.values() if isinstance(one, Finding)]
    findings = [_finding(one, answers[one.test], reader) for one in asked]
    studies = {one.study.name: one.study for one in asked}
    embedder = asked[0].embedder if asked else None
    trained = {done.key for done in journal(runs.folder(store, run.id))}
    there = [job for job in dict.fromkeys(job for one in asked for job in _jobs(one)) if reader.has(job)]
    records = [reader.record(job) for job in there]
    seconds = [record.facts["provenance"]["seconds"] for record in records]
    device = sorted({record.facts["provenance"]["device_name"] for record in records})
    at_hand = [(study, [seed for seed in sorted({seed for one in asked if one.study == study for seed in one.seeds})
                        if reader.has(trial(study, BASELINE, seed))]) for study in studies.values()]
    return {
        "title": "ddiv: which claims hold",
        "subtitle": "Ba, Mancenido and Pan, Data Diversity as Implicit Regularization (arXiv 2410.14602)",
        "generated": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "profile": run.profile, "command": run.command,
        "alpha": run.alpha, "seeds": list(run.seeds),
        "run": {"seconds": run.seconds, "trials_trained": len(trained),
                "trials_reused": sum(key(job) not in trained for job in there),
                "seconds_per_trial": float(np.mean(seconds)) if seconds else None,
                "workers": run.workers, "device": ", ".join(device)},
        "spent": summary.spent(run, found), "listed": summary.listed(found, run.alpha),
        "over_studies": summary.over_studies(found, run.alpha), "controls": summary.controls(found),
        "fit": summary.fit(found),
        "studies": [_study(study, seeds, reader) for study, seeds in at_hand],
        "families": [{"id": name, "title": name.capitalize()} for name in dict.fromkeys(one.claim.family for one in asked)],
        "claims": _claims(findings),
        "scatter": [plot for study, seeds in at_hand if seeds for plot in _scatter(study, seeds, embedder, reader)],
        "table2": [_table(study, seeds, reader) for study, seeds in at_hand if seeds],
        "contact_sheets": list(_contact_sheets(studies.values())),
        "settings": _settings(run, studies.values()),
        "versions": [[name, version] for name in PACKAGES if (version := _version(name))],
        "hardware": [["processor", processor_name()], ["cores", usable_cores()], ["system", platform.platform()],
                     ["records made on", ", ".join(device) or None]],
        "warnings": list(reader.damaged.values()),
    }


# --- claims and findings ------------------------------------------------------------------------


def _jobs(asked: Asked) -> list:
    try:
        return asked.jobs()
    except NotApplicable:
        return []


def _answer(asked: Asked, reader: Reader) -> Finding | tuple[str, str]:
    """The finding, or why there is none: a verdict's word and a note."""
    if asked.not_applicable:
        return "not applicable", asked.not_applicable
    try:
        return answer(asked, reader)
    except KeyError:
        return "not run", asked.error or "a trial that it needs is not in the store"
    except StoreError as error:
        return "not run", str(error)


def _finding(asked: Asked, finding: Finding | tuple[str, str], reader: Reader) -> dict:
    shown = {"test": asked.test, "study": asked.study.name, "variant": asked.variant,
             "expected": msgspec.to_builtins(asked.expected), "command": rerun(asked), "claim": asked.claim,
             "direction": asked.question.direction}
    if not isinstance(finding, Finding):
        verdict, note = finding
        return {**shown, "verdict": verdict, "note": note}
    return {**shown, "verdict": finding.evidence.verdict, "caveats": list(finding.caveats),
            "definitions": list(map(list, finding.definitions)),
            "evidence": _evidence(finding.evidence, asked, asked.seeds),
            "matched": _evidence(finding.matched, asked, finding.matched_seeds) if finding.matched else None,
            "matched_note": finding.matched_note, "trials": list(finding.jobs), "plot": _plot(finding, reader)}


def _evidence(evidence: Evidence, asked: Asked, seeds: Iterable[int]) -> dict:
    return {**msgspec.structs.asdict(evidence), "seeds": list(seeds), "unit": asked.question.unit,
            "method": asked.question.method}


def _claims(findings: list[dict]) -> list[dict]:
    grouped: dict[str, list[dict]] = defaultdict(list)
    for finding in findings:
        grouped[finding["claim"].id].append(finding)
    return [{"id": name, "family": group[0]["claim"].family, "statement": group[0]["claim"].statement,
             "source": group[0]["claim"].source, "guards": group[0]["claim"].guards,
             "direction": "rises" if group[0]["direction"] > 0 else "falls", "command": f"pytest claims -k {name}",
             "findings": [{k: v for k, v in one.items() if k not in ("claim", "direction")} for one in group]}
            for name, group in grouped.items()]


def _plot(finding: Finding, reader: Reader) -> dict | None:
    asked, question = finding.asked, finding.asked.question
    seats = [SeedBench(reader, asked.study, asked.embedder, seed) for seed in asked.seeds]
    match question:
        case Trend():
            return {"kind": "dose", "xlabel": _dose_name(question.ladder), "ylabel": f"{question.outcome.label}, change against the baseline",
                    "x": [dose for dose, _ in question.ladder],
                    "series": [{"seed": seat.seed,
                                "y": [seat.bench().effect(question.outcome, arm) for _, arm in question.ladder],
                                "matched": [_or_none(seat.bench("between"), question.outcome, arm) for _, arm in question.ladder]}
                               for seat in seats]}
        case Contrast(treatments=(arm,)):
            return {"kind": "paired", "xlabel": "arm", "ylabel": question.outcome.label, "arms": [question.base.label, arm.label],
                    "series": [{"seed": seat.seed, "y": list(_pair(seat, question.outcome, (question.base, arm)))} for seat in seats]}
        case Largest():
            arms = (question.treatment, *question.others)
            return {"kind": "bars", "ylabel": f"{question.outcome.label}, change against the baseline", "x": [arm.label for arm in arms],
                    "series": [{"seed": seat.seed, "y": [seat.bench().effect(question.outcome, arm) for arm in arms]}
                               for seat in seats]}
        case Opposite():
            return {"kind": "bars", "ylabel": f"{question.outcome.label}, change per step of dose", "x": ["dropout", "weight decay"],
                    "series": [{"seed": seat.seed, "y": [Trend(question.outcome, ladder, 1).answer(seat.bench())[0]
                                                         for ladder in (question.first, question.second)]}
                               for seat in seats]}
        case Resemblance():
            return {"kind": "bars", "ylabel": "standardised effect on each metric",
                    "x": [f"{group}: {metric.replace('_', ' ')}" for group in ("augmentation", "dropout", "decay")
                          for metric in question.metrics],
                    "series": [{"seed": seat.seed, "y": question.vectors(seat.bench()).ravel().tolist()} for seat in seats]}
    return None


def _or_none(bench: Bench, outcome: outcomes.Outcome, arm: Treatment) -> float | None:
    try:
        return bench.effect(outcome, arm)
    except Unmatched:
        return None


def _pair(seat: SeedBench, outcome: outcomes.Outcome, arms: tuple[Treatment, Treatment]) -> Iterator[float]:
    for one in arms:
        yield (seat.vendi(one)[outcome.key] if isinstance(outcome, Vendi) else outcomes.value(outcome, seat.state(one)))


def _dose_name(ladder) -> str:
    part = ladder[-1][1].parts[0]
    return {Dropout: "dropout rate", WeightDecay: "weight decay"}.get(type(part), "dose")


# --- studies, scatter plots, table --------------------------------------------------------------


def _study(study: Study, seeds: list[int], reader: Reader) -> dict:
    facts = [[name, _text(value)] for part in (study.data, study.recipe) for name, value in msgspec.structs.asdict(part).items()
             if name != "checkpoints" and value is not None]
    places = ["train", *study.domains] if seeds else []
    states = [reader.trained(trial(study, BASELINE, seed)).after for seed in seeds]
    names = {"train": "training set", study.domains[0]: f"{study.domains[0]} (in domain)"}
    return {"id": study.name, "title": study.title, "facts": facts,
            "domains": [{"id": domain, "role": "out of domain" if domain in study.ood_domains else "in domain"}
                        for domain in study.domains],
            "baseline": [{"name": names.get(place, place), **_mean(state.scores[f"accuracy/{place}"] for state in states)}
                         for place in places]}


def _arms(study: Study, seeds: Iterable[int], reader: Reader) -> Iterator[tuple[Treatment, list[int]]]:
    """The arms that the store has, with the seeds at which it has them."""
    for arm in study.arms:
        there = [seed for seed in seeds if reader.has(trial(study, arm, seed))]
        if there:
            yield arm, there


def _scatter(study: Study, seeds: list[int], embedder: Clip, reader: Reader) -> Iterator[dict]:
    arms = list(_arms(study, seeds, reader))
    largest = {Dropout: max(study.dropout_rates), WeightDecay: max(study.decays)}
    for layers in ("classifier", "encoder"):
        for names in SCATTER:
            axes = [Spectral(name, layers) for name in names]
            points = []
            for arm, there in arms:
                trained = [reader.trained(trial(study, arm, seed)) for seed in there]
                xs, ys = ([outcomes.effect(axis, one.after, one.before) for one in trained] for axis in axes)
                points.append({"arm": arm.label, "group": arm.group, "size": _relative_dose(arm, largest),
                               "intensity": _diversity(study, arm, there, embedder, reader),
                               "x": float(np.nanmedian(xs)), "y": float(np.nanmedian(ys)), "xs": xs, "ys": ys})
            _stretch(points)
            yield {"study": study.name, "view": layers, "points": points,
                   **{axis: f"Δ {outcome.metric.replace('_', ' ')}" for axis, outcome in zip("xy", axes)}}


def _relative_dose(arm: Treatment, largest: dict) -> float | None:
    for kind, top in largest.items():
        if part := arm.part(kind):
            # Decays are spaced by factors, so sizes follow their logarithm.
            return part.rate / top if kind is Dropout else 1 / (1 + np.log10(top / part.value))
    return None


def _diversity(study: Study, arm: Treatment, seeds: list[int], embedder: Clip, reader: Reader) -> float | None:
    if not arm.part(Augmentation):
        return None
    views = [view(study, arm, embedder, seed) for seed in seeds]
    scores = [reader.record(one).facts["vendi"]["embedding"] for one in views if reader.has(one)]
    return float(np.mean(scores)) if scores else None


def _stretch(points: list[dict]) -> None:
    """Bring the intensities of one plot to 0..1."""
    values = [point["intensity"] for point in points if point["intensity"] is not None]
    if values:
        low, span = min(values), (max(values) - min(values)) or 1.0
        for point in points:
            if point["intensity"] is not None:
                point["intensity"] = (point["intensity"] - low) / span


def _table(study: Study, seeds: list[int], reader: Reader) -> dict:
    places = ["id", *study.ood_domains, *(["ood"] if study.ood_domains else [])]
    names = {"id": "in domain", "ood": "mean out of domain"}
    columns = [("accuracy", "train"), *((kind, place) for place in places for kind in ("accuracy", "ece"))]
    rows = []
    for arm, there in _arms(study, seeds, reader):
        states = [(reader.trained(trial(study, arm, seed)).after, reader.trained(trial(study, BASELINE, seed)).after)
                  for seed in there]
        cells = [{**_mean(outcomes.value(Score(*column), state) for state, _ in states),
                  "delta": None if arm.is_baseline else float(np.mean(
                      [outcomes.effect(Score(*column), state, base) for state, base in states]))} for column in columns]
        rows.append({"arm": arm.label, "group": arm.group, "cells": cells})
    return {"study": study.name, "rows": rows,
            "columns": ["training set acc", *(f"{names.get(place, place)} {'acc' if kind == 'accuracy' else 'ECE'}"
                                              for kind, place in columns[1:])],
            "better": ["higher" if kind == "accuracy" else "lower" for kind, _ in columns],
            "note": "Mean over seeds; ECE with 15 equal-width bins; small figures are mean paired differences from the baseline."}


def _mean(values: Iterable[float]) -> dict:
    values = np.array(list(values))
    return {"mean": float(values.mean()), "sd": float(values.std(ddof=1)) if len(values) > 1 else None}


# --- pictures and settings ----------------------------------------------------------------------


def _contact_sheets(studies: Iterable[Study]) -> Iterator[dict]:
    from PIL import Image

    from ddiv.datasets import load

    for study in studies:
        data = load(study.data)
        shown = np.linspace(0, len(data.classes) - 1, 10).astype(int)
        rows = [np.concatenate([images[np.flatnonzero(labels == label)[0]] for label in shown], axis=2)
                for images, labels in data.tests.values()]
        buffer = io.BytesIO()
        Image.fromarray(np.concatenate(rows, axis=1).transpose(1, 2, 0)).save(buffer, format="PNG")
        yield {"study": study.name, "png": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
               "caption": f"Test images of ten of {len(data.classes)} classes ({', '.join(data.classes[i] for i in shown)}); "
                          f"rows: {', '.join(data.tests)}."}


def _settings(run: runs.Run, studies: Iterable[Study]) -> list[list]:
    rows = [["seeds to start with", len(run.seeds)], ["seeds at most", run.max_seeds],
            ["time after which no seeds are added", f"{run.budget:g} s" if run.budget else "none"],
            ["level of each test", run.alpha], ["workers", run.workers]]
    for study in studies:
        rows += [[f"{study.name}: dropout rates", _text(study.dropout_rates)], [f"{study.name}: weight decays", _text(study.decays)],
                 [f"{study.name}: early stop at", f"{study.early_stop:.0%} of the epochs"],
                 [f"{study.name}: diversity scored on", f"{study.view_size} images"]]
    return rows


def _text(value: object) -> str:
    return ", ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
