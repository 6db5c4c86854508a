"""From a run in the store to the page's data: every question is answered again from the stored
records.
"""

from __future__ import annotations

import platform
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec
import numpy as np

from ddiv import rmt
from ddiv import run as runs
from ddiv.claim import NotApplicable
from ddiv.digests import is_digest
from ddiv.evidence import Evidence
from ddiv.finding import Asked, Finding, Reader, answer, require_domains
from ddiv.machine import processor_name, usable_cores
from ddiv.outcome import Spectral
from ddiv.plan import journal
from ddiv.report import accuracy, sheets, summary
from ddiv.report.changes import changes
from ddiv.report.densities import densities
from ddiv.report.diversity import diversity, vendi
from ddiv.report.document import short
from ddiv.report.pictures import pictures
from ddiv.report.plots import plot
from ddiv.report.render import render
from ddiv.store import Store, StoreError, write_atomically
from ddiv.study import Clip, OpenClip, Study
from ddiv.treatment import BASELINE, Augmentation, Treatment
from ddiv.trial import Trial, key, trial
from ddiv.wording import explained, rerun, with_options

# The paper's order; families that are not named here follow.
FAMILIES = (
    "dropout",
    "weight decay",
    "augmentation",
    "data diversity",
    "generalisation",
    "controls",
)
PACKAGES = (
    "ddiv",
    "torch",
    "torchvision",
    "open_clip_torch",
    "numpy",
    "scipy",
    "vendi-score",
    "pytest",
    "pytest-xdist",
)


def write(store: Store, run_id: str, path: Path) -> Path:
    """Write the page of a run. Raises OSError, FileNotFoundError for an unknown run."""
    write_atomically(path, render(page(store, runs.load(store, run_id))).encode())
    return path


def page(store: Store, run: runs.Run) -> dict:
    """The data of the page, as `ddiv.report.render.render` describes it."""
    reader, asked = Reader(store), runs.load_asked(store, run.id)
    asked.sort(
        key=lambda one: (
            FAMILIES.index(one.claim.family) if one.claim.family in FAMILIES else len(FAMILIES)
        )
    )
    answers = {one.test: _answer(one, reader) for one in asked}
    found = [one for one in answers.values() if isinstance(one, Finding)]
    findings = [_finding(one, answers[one.test], reader, run) for one in asked]
    studies = {one.study.name: one.study for one in asked}
    trained = {done.key for done in journal(runs.folder(store, run.id))}
    there = [
        job for job in dict.fromkeys(job for one in asked for job in _jobs(one)) if reader.has(job)
    ]
    records = [reader.record(job) for job in there]
    seconds = [record.facts["provenance"]["seconds"] for record in records]
    device = sorted({record.facts["provenance"]["device_name"] for record in records})
    at_hand = [
        (
            study,
            [
                seed
                for seed in sorted(
                    {seed for one in asked if one.study == study for seed in one.seeds}
                )
                if _whole(study, trial(study, BASELINE, seed), reader)
            ],
        )
        for study in studies.values()
    ]
    materials = [_material(study, seeds, asked, reader) for study, seeds in at_hand if seeds]
    return {
        "title": "ddiv: which claims hold",
        "subtitle": "Ba, Mancenido and Pan, Data Diversity as Implicit Regularization (arXiv 2410.14602)",
        "generated": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "profile": run.profile,
        "command": run.command,
        "alpha": run.alpha,
        "seeds": list(run.seeds),
        "run": {
            "seconds": run.seconds,
            "trials_trained": len(trained),
            "trials_reused": sum(key(job) not in trained for job in there),
            "seconds_per_trial": float(np.mean(seconds)) if seconds else None,
            "workers": run.workers,
            "device": ", ".join(device),
        },
        "spent": summary.spent(run, found),
        "listed": summary.listed(found, run.alpha),
        "over_studies": summary.over_studies(found, run.alpha),
        "controls": summary.controls(found),
        "fit": summary.fit(found),
        "studies": [_study(study, seeds, reader) for study, seeds in at_hand],
        "families": [
            {"id": name, "title": name.capitalize()}
            for name in dict.fromkeys(one.claim.family for one in asked)
        ],
        "claims": _claims(findings, run),
        "materials": materials,
        "pictures": pictures(materials),
        "contact_sheets": [
            sheet for study in studies.values() if (sheet := sheets.of_study(study))
        ],
        "generators": [
            sheet
            for study, seeds in at_hand
            if (sheet := sheets.of_generator(study, seeds, reader))
        ],
        "settings": _settings(run, studies.values()),
        "versions": [[name, version] for name in PACKAGES if (version := _version(name))],
        "hardware": [
            ["processor", processor_name()],
            ["cores", usable_cores()],
            ["system", platform.platform()],
            ["records made on", ", ".join(device) or None],
        ],
        "warnings": list(reader.damaged.values()),
    }


# --- claims and findings ------------------------------------------------------------------------


def _jobs(asked: Asked) -> list:
    try:
        return asked.jobs()
    except NotApplicable:
        return []


def _whole(study: Study, job: Trial, reader: Reader) -> bool:
    """Whether the store has a trial whole, and of the domains that the study says."""
    with suppress(StoreError):
        if reader.has(job):
            require_domains(study, reader.record(job).facts["domains"])
            return True
    return False


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


def _finding(
    asked: Asked, finding: Finding | tuple[str, str], reader: Reader, run: runs.Run
) -> dict:
    shown = {
        "test": asked.test,
        "study": asked.study.name,
        "variant": asked.variant,
        "expected": msgspec.to_builtins(asked.expected),
        "command": rerun(asked, run.options),
        "claim": asked.claim,
        "direction": asked.question.direction,
    }
    if not isinstance(finding, Finding):
        verdict, note = finding
        return {**shown, "verdict": verdict, "note": note}
    return {
        **shown,
        "verdict": finding.evidence.verdict,
        "caveats": list(finding.caveats),
        "definitions": list(map(list, finding.definitions)),
        "evidence": _evidence(finding.evidence, asked, asked.seeds),
        "matched": _evidence(finding.matched, asked, finding.matched_seeds)
        if finding.matched
        else None,
        "matched_note": finding.matched_note,
        "trials": list(finding.jobs),
        "plot": plot(finding, reader),
        "explained": explained(finding, run.max_seeds),
        "derived": [list(one) for one in finding.derived],
    }


def _evidence(evidence: Evidence, asked: Asked, seeds: Iterable[int]) -> dict:
    return {
        **msgspec.structs.asdict(evidence),
        "seeds": list(seeds),
        "unit": asked.question.unit,
        "method": asked.question.method,
    }


def _claims(findings: list[dict], run: runs.Run) -> list[dict]:
    grouped: dict[str, list[dict]] = defaultdict(list)
    for finding in findings:
        grouped[finding["claim"].id].append(finding)
    return [
        {
            "id": name,
            "family": group[0]["claim"].family,
            "statement": group[0]["claim"].statement,
            "source": group[0]["claim"].source,
            "guards": group[0]["claim"].guards,
            "direction": _direction(group),
            "command": with_options(f"pytest claims -k {name}", run.options),
            "findings": [
                {
                    **{k: v for k, v in one.items() if k not in ("claim", "direction")},
                    "statement": one["claim"].statement,
                    "direction": _direction([one]),
                }
                for one in group
            ],
        }
        for name, group in grouped.items()
    ]


def _direction(findings: list[dict]) -> str | None:
    """What is claimed of the effect; None where findings of one claim say different things."""
    words = {"rises" if one["direction"] > 0 else "falls" for one in findings}
    return words.pop() if len(words) == 1 else None


# --- studies and their pictures -----------------------------------------------------------------


def _study(study: Study, seeds: list[int], reader: Reader) -> dict:
    model = [
        ["model", type(study.backbone).__name__],
        *msgspec.structs.asdict(study.backbone).items(),
    ]
    given = [
        *msgspec.structs.asdict(study.data).items(),
        *model,
        *msgspec.structs.asdict(study.recipe).items(),
    ]
    facts = [
        [name, _text(value)]
        for name, value in given
        if name != "checkpoints" and value not in (None, False, ())
    ]
    places = ["train", *study.domains] if seeds else []
    states = [reader.trained(trial(study, BASELINE, seed)).after for seed in seeds]
    names = {"train": "training set", study.domains[0]: f"{study.domains[0]} (in domain)"}
    return {
        "id": study.name,
        "title": study.title,
        "facts": facts,
        "domains": [
            {"id": domain, "role": "out of domain" if domain in study.ood_domains else "in domain"}
            for domain in study.domains
        ],
        "baseline": [
            {
                "name": names.get(place, place),
                **accuracy.mean(state.scores[f"accuracy/{place}"] for state in states),
            }
            for place in places
        ],
    }


def _material(study: Study, seeds: list[int], asked: list[Asked], reader: Reader) -> dict:
    """What the pictures show of a study, see `pictures.pictures`."""

    def embedding(arm: Treatment) -> float | None:
        scores = vendi(study, arm, seeds, reader) if arm.part(Augmentation) else {}
        return short(float(np.mean(scores["embedding"]))) if scores else None

    backbone = study.backbone
    tower = (
        f"clip {backbone.tower}"
        if isinstance(backbone, Clip | OpenClip)
        else msgspec.to_builtins(backbone)["type"]
    )
    costly = _costly(one for one in asked if one.study == study)
    return {
        "study": study.name,
        "tower": tower,
        "changes": changes(study, seeds, reader, diversity=embedding, costly=costly),
        "diversity": diversity(study, seeds, reader),
        "densities": densities(study, seeds, reader),
        "scores": accuracy.table(study, seeds, reader),
    }


def _costly(asked: Iterable[Asked]) -> dict[str, set[Treatment]]:
    """Metrics of random matrix theory that a question reads, with its arms: these the run has
    computed already.
    """
    found: dict[str, set[Treatment]] = defaultdict(set)
    for one in asked:
        for outcome in one.question.outcomes():
            if isinstance(outcome, Spectral) and outcome.metric in rmt.GROUP_OF:
                found[outcome.metric].update(one.question.arms())
    return found


# --- settings -----------------------------------------------------------------------------------


def _settings(run: runs.Run, studies: Iterable[Study]) -> list[list]:
    rows = [
        ["seeds to start with", len(run.seeds)],
        ["seeds at most", run.max_seeds],
        ["time after which no seeds are added", f"{run.budget:g} s" if run.budget else "none"],
        ["level of each test", run.alpha],
        ["workers", run.workers],
    ]
    for study in studies:
        rows += [
            [f"{study.name}: dropout rates", _text(study.dropout_rates)],
            [f"{study.name}: weight decays", _text(study.decays)],
            [f"{study.name}: early stop at", f"{study.early_stop:.0%} of the epochs"],
            [f"{study.name}: diversity scored on", f"{study.view_size} examples"],
        ]
    return rows


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return f"{value[:12]}..." if isinstance(value, str) and is_digest(value) else str(value)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
