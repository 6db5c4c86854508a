"""From a run in the store to the page's data: every question is answered again from the stored
records.
"""

from __future__ import annotations

import platform
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ddiv.claim import NotApplicable
from ddiv.common.digests import is_digest
from ddiv.common.machine import PACKAGES, processor_name, usable_cores, version_of
from ddiv.common.outputs import write_output
from ddiv.finding import Asked, Reader, Unanswered, require_domains, settled
from ddiv.finding import Finding as Answer
from ddiv.outcome import Spectral
from ddiv.report import summary
from ddiv.report.answers import claims, finding
from ddiv.report.columns import departures
from ddiv.report.crosscheck import crosscheck
from ddiv.report.document import short
from ddiv.report.figures import accuracy, sheets
from ddiv.report.figures.beside import beside
from ddiv.report.figures.changes import changes
from ddiv.report.figures.densities import densities
from ddiv.report.figures.diversity import diversity, vendi
from ddiv.report.figures.pictures import pictures
from ddiv.report.render import render
from ddiv.report.schema import Accuracy, Domain, Fact, Family, Material, Page, RunFacts, StudyCard
from ddiv.run import run as runs
from ddiv.run.notes import damage, journal
from ddiv.spectra import random_matrix as rmt
from ddiv.study import Clip, NetworkOutcome, OpenClip, Study, Tables
from ddiv.study.measures import united
from ddiv.treatment import BASELINE, Augmentation, Piled, Treatment
from ddiv.trial import Job, Trial, trial
from ddiv.trial.store import Record, Store, StoreError

# The paper's order; families that are not named here follow.
FAMILIES = (
    "dropout",
    "weight decay",
    "augmentation",
    "data diversity",
    "generalisation",
    "controls",
)

PAPER = "Ba, Mancenido and Pan, Data Diversity as Implicit Regularization (arXiv 2410.14602)"


def write(store: Store, run_id: str, path: Path) -> Page:
    """Write the page of a run, and return its data.

    Raises NotWritten, StoreError where the run cannot be read, FileNotFoundError where there is no
    such run.
    """
    shown = page(store, runs.load(store, run_id))
    write_output(path, render(shown).encode())
    return shown


def errors(shown: Page) -> str:
    """How many findings of a page are errors, in words; "" for none."""
    count = sum(one.verdict == "error" for claim in shown.claims for one in claim.findings)
    if not count:
        return ""
    return (
        f"{count} finding{'s' * (count > 1)} of the report ended in an error and not in a verdict"
    )


def counted(shown: Page) -> dict[str, int]:
    """How many findings of a page have which verdict, or which word in place of one; negative
    controls are not among them.
    """
    return dict(
        Counter(one.verdict for claim in shown.claims if not claim.guards for one in claim.findings)
    )


def page(store: Store, run: runs.Run) -> Page:
    """The data of a run's page."""
    questions, reader = runs.questions(store, run.id), Reader(store)
    asked = sorted(questions.asked, key=family_order)
    lost = questions.lost and (
        f"{questions.lost}. Until then nothing is said of all findings together: there is no list "
        "(★), and no verdict over all studies"
    )
    journal_lost = damage(runs.folder(store, run.id), run.measured)
    answers = {one.test: settled(one, reader, run.enough(one)) for one in asked}
    answered = [one for one in answers.values() if isinstance(one, Answer)]
    seen = {one.asked.test: one.asked for one in answered}
    asked = [seen.get(one.test, one) for one in asked]
    lacking = [(one, no) for one in asked if isinstance(no := answers[one.test], Unanswered)]
    jobs = {job: one.study.name for one in asked for job in _jobs(one)}
    records = [reader.record(job) for job in jobs if reader.has(job)]
    devices = ", ".join(sorted({one.facts["provenance"]["device_name"] for one in records}))
    studies = {one.study.name: one.study for one in asked}
    shown = [_carrying(study, asked, reader) for study in studies.values()]
    at_hand = [(study, _seeds(study, asked, reader)) for study in shown]
    curves, beside_curves = beside(answered, reader)
    findings = {one.test: finding(one, answers[one.test], reader, run) for one in asked}
    # Published tables have no spectra to draw and no examples to show.
    trained = [(study, seeds) for study, seeds in at_hand if not study.fixed_sample]
    materials = [_material(study, seeds, asked, reader) for study, seeds in trained if seeds]
    return Page(
        title="ddiv: which claims hold",
        run_id=run.id,
        subtitle=PAPER if any(map(of_the_paper, asked)) else "",
        generated=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        profile=run.profile,
        command=run.command,
        alpha=run.alpha,
        seeds=run.seeds,
        run=_run(store, run, records, devices),
        spent=summary.spent(run, answered),
        **{} if questions.lost else _together(answered, lacking, run.alpha),
        controls=summary.controls(answered, run.alpha),
        studies=tuple(study_card(study, seeds, reader) for study, seeds in at_hand),
        families=tuple(
            Family(name, name.capitalize())
            for name in dict.fromkeys(one.claim.family for one in asked)
        ),
        claims=tuple(claims(asked, findings, run, beside_curves)),
        curves=curves,
        materials=tuple(materials),
        pictures=pictures(materials),
        contact_sheets=sheets.of_studies(study for study, _ in trained),
        generators=tuple(
            sheet
            for study, seeds in trained
            if (sheet := sheets.of_generator(study, seeds, reader))
        ),
        departures=departures() if any(map(of_the_paper, asked)) else (),
        crosscheck=crosscheck(jobs, reader),
        settings=tuple(_settings(run, studies.values())),
        versions=tuple((name, version) for name in PACKAGES if (version := version_of(name))),
        hardware=(
            ("processor", processor_name()),
            ("cores", usable_cores()),
            ("system", platform.platform()),
            ("records made on", devices or None),
        ),
        warnings=tuple(filter(None, (lost, journal_lost, *reader.damaged.values()))),
    )


def _together(
    answered: Sequence[Answer], lacking: Sequence[tuple[Asked, Unanswered]], alpha: float
) -> dict[str, Any]:
    """What is said of all findings together, as fields of the page."""
    claimed, specific = (
        summary.claims_listed(answered, alpha, of_specific) for of_specific in (False, True)
    )
    rows = summary.over_studies(answered, alpha, lacking)
    return {
        "listed": summary.listed(answered, alpha),
        "listed_specific": summary.listed(answered, alpha, specific=True),
        "claims_listed": summary.counted(claimed, alpha),
        "claims_listed_specific": summary.counted(specific, alpha),
        "over_studies": summary.with_products(rows, claimed, specific),
    }


def family_order(asked: Asked) -> int:
    """The place of a question's family on the page."""
    family = asked.claim.family
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def of_the_paper(asked: Asked) -> bool:
    """Whether a claim is one of the paper's; a user's may be of another."""
    return asked.claim.source.startswith(("v1", "v2"))


def _run(store: Store, run: runs.Run, records: Sequence[Record], devices: str) -> RunFacts:
    trained = {done.key for done in journal(runs.folder(store, run.id))}
    seconds = [record.facts["provenance"]["seconds"] for record in records]
    return RunFacts(
        seconds=run.seconds,
        trials_trained=len(trained),
        trials_reused=sum(record.key not in trained for record in records),
        seconds_per_trial=float(np.mean(seconds)) if seconds else None,
        workers=run.workers,
        device=devices,
    )


def _jobs(asked: Asked) -> list[Job]:
    try:
        return asked.jobs()
    except NotApplicable:
        return []


# --- studies and their pictures -----------------------------------------------------------------


def _carrying(study: Study, asked: Iterable[Asked], reader: Reader) -> Study:
    """The study with the outcomes that most of its stored baselines carry: a claim may ask for
    more than the study names.
    """
    ways: dict[tuple[NetworkOutcome, ...], int] = {(): 0}
    ways |= {one.question.carried: 0 for one in asked if one.study.name == study.name}
    if len(ways) == 1:
        return study
    for further in ways:
        with_these = msgspec.structs.replace(study, outcomes=united(study.outcomes, further))
        ways[further] = len(_seeds(with_these, asked, reader))
    most = max(ways, key=ways.__getitem__)
    return msgspec.structs.replace(study, outcomes=united(study.outcomes, most))


def _seeds(study: Study, asked: Iterable[Asked], reader: Reader) -> list[int]:
    """The seeds that a study was asked at and the store has the baseline of, whole."""
    if not study.trains:
        return []
    seeds = {seed for one in asked if one.study.name == study.name for seed in one.seeds}
    return [seed for seed in sorted(seeds) if _whole(study, trial(study, BASELINE, seed), reader)]


def _whole(study: Study, job: Trial, reader: Reader) -> bool:
    """Whether the store has a trial whole, and of the domains that the study says."""
    with suppress(StoreError):
        if reader.has(job):
            require_domains(study, reader.record(job).facts["domains"])
            return True
    return False


def _of_tables(study: Study, data: Tables) -> StudyCard:
    facts: list[Fact] = [("model", "as published"), ("published studies", len(data.sets))]
    for one in data.sets:
        told = [f"{len(one.arms)} arms", one.group, one.note]
        facts.append((one.label, "; ".join(filter(None, told))))
    return StudyCard(
        id=study.name,
        title=study.title,
        description=(
            "WeightWatcher's tables of networks that others trained, one before and one after "
            "training for each arm. A replicate is a published study; there are no further ones, "
            "so the exact two-sided sign test over them decides."
        ),
        conditional=study.finite_pool,
        facts=tuple(facts),
    )


def study_card(study: Study, seeds: list[int], reader: Reader) -> StudyCard:
    """What a study is; `seeds` are those whose baselines it tells the accuracy of."""
    if isinstance(study.data, Tables):
        return _of_tables(study, study.data)
    fields = [
        *_described(study.data),
        *([("model", type(study.backbone).__name__)] if study.backbone else []),
        *_described(study.backbone),
        *_described(study.recipe),
        ("experiments", study.experiments),
        ("outcomes", tuple(outcome.label for outcome in study.outcomes)),
        *([("optimisation controls", _calibrated(study, reader))] if study.trains else []),
    ]
    places = ["train", *study.domains] if seeds else []
    states = [reader.trained(trial(study, BASELINE, seed)).after for seed in seeds]
    names = {"train": "training set"}
    names |= {domain: f"{domain} (in domain)" for domain in study.domains[:1]}
    return StudyCard(
        id=study.name,
        title=study.title,
        conditional=study.finite_pool,
        facts=tuple(
            (name, _text(value))
            for name, value in fields
            if name != "checkpoints" and value not in (None, False, ())
        ),
        domains=tuple(
            Domain(domain, "out of domain" if domain in study.ood_domains else "in domain")
            for domain in study.domains
        ),
        baseline=tuple(
            Accuracy(
                names.get(place, place),
                *accuracy.spread(state.scores[f"accuracy/{place}"] for state in states),
            )
            for place in places
        ),
    )


def _described(part: msgspec.Struct | None) -> Iterable[tuple[str, object]]:
    """The fields of a part of a study."""
    return msgspec.structs.asdict(part).items() if part is not None else ()


def _calibrated(study: Study, reader: Reader) -> str:
    """What the specific verdicts of a study rest on."""
    calibration, lacking = reader.calibration(study)
    if calibration is None:
        return lacking
    accuracy = calibration.accuracy.get(calibration.best)
    of = f" ({accuracy:.3f})" if accuracy is not None else ""
    return (
        f"margins of {len(calibration.margins)} outcomes from {len(calibration.seeds)} seeds; the "
        f"most accurate in domain: {calibration.best}{of}"
    )


def _material(study: Study, seeds: list[int], asked: list[Asked], reader: Reader) -> Material:
    """What the pictures show of a study."""

    def embedding(arm: Treatment) -> float | None:
        augmented = arm.part(Augmentation) or arm.part(Piled)
        scores = vendi(study, arm, seeds, reader) if augmented else {}
        mean: float | None = short(float(np.mean(scores["embedding"]))) if scores else None
        return mean

    costly = _costly(one for one in asked if one.study.name == study.name)
    return Material(
        study=study.name,
        tower=_tower(study),
        changes=changes(study, seeds, reader, diversity=embedding, costly=costly),
        diversity=diversity(study, seeds, reader),
        densities=densities(study, seeds, reader),
        scores=accuracy.table(study, seeds, reader),
    )


def _tower(study: Study) -> str:
    """The kind of a study's network."""
    if isinstance(study.backbone, Clip | OpenClip):
        return f"clip {study.backbone.tower}"
    return str(msgspec.to_builtins(study.backbone)["type"])


def _costly(asked: Iterable[Asked]) -> dict[str, set[Treatment]]:
    """Metrics of random matrix theory that a question reads, with its arms: these the run has
    computed already.
    """
    arms: dict[str, set[Treatment]] = defaultdict(set)
    for one in asked:
        for outcome in one.question.outcomes():
            if isinstance(outcome, Spectral) and outcome.metric in rmt.GROUP_OF:
                arms[outcome.metric].update(one.question.arms())
    return arms


# --- settings -----------------------------------------------------------------------------------


def _settings(run: runs.Run, studies: Iterable[Study]) -> Iterator[Fact]:
    yield "seeds to start with", len(run.seeds)
    yield "seeds at most", run.max_seeds
    yield "time after which no seeds are added", f"{run.budget:g} s" if run.budget else "none"
    yield "level of each test", run.alpha
    yield "workers", run.workers
    for study in (each for each in studies if each.trains):
        yield f"{study.name}: dropout rates", _text(study.dropout_rates)
        yield f"{study.name}: weight decays", _text(study.decays)
        yield f"{study.name}: diversity scored on", f"{study.view_size} examples"


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    return f"{value[:12]}..." if isinstance(value, str) and is_digest(value) else str(value)
