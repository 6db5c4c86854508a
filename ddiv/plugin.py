"""The pytest plugin: options, planning, progress, verdicts in the summary, and the report at the end.

The only module of ddiv that imports pytest. It delegates: planning and cooperation are in `ddiv.plan`,
answers in `ddiv.finding`, the page in `ddiv.report`.
"""

from __future__ import annotations

import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from ddiv import ledger, run as runs, trial as trials
from ddiv.claim import NotApplicable
from ddiv.evidence import MOST_SEEDS
from ddiv.finding import CONTROL_SHARE, Asked, Reader
from ddiv.machine import usable_cores
from ddiv.plan import Crew
from ddiv.profiles import PROFILES, BadStudyFile, Profile, UnknownProfile, of_file, profile
from ddiv.progress import ProgressLine
from ddiv.store import Store, StoreError
from ddiv.study import Study
from ddiv.testing import parameters, variant
from ddiv.treatment import OTHER_SEEDS_BEGIN
from ddiv.trial import Job
from ddiv.wording import Tally, tally

SESSION = pytest.StashKey["Session"]()
ASKED = pytest.StashKey[Asked]()
VERDICT = "ddiv verdict"


@dataclass
class Session:
    """What one process of a pytest session works with."""

    store: Store
    profile: Profile
    run: runs.Run
    crew: Crew
    reader: Reader
    report: Path
    line: ProgressLine | None = None

    @property
    def binding(self) -> bool:
        """Whether a verdict other than the ledger's is a change: a run with fewer or other seeds may well decide otherwise."""
        return self.run.max_seeds >= self.profile.max_seeds and self.run.budget is None and self.run.seeds[0] == 0

    @property
    def folder(self) -> Path:
        return runs.folder(self.store, self.run.id)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ddiv", "ddiv: claims of papers, checked by training models "
                                    "(with pytest's own --strict, every claim that is not supported fails)")
    group.addoption("--profile", default="embedded", metavar="NAME",
                    help=f"the studies to run: {', '.join(PROFILES)} (default: embedded)")
    group.addoption("--study", metavar="FILE", help="a Python file that defines STUDY, a ddiv.study.Study (or STUDIES, a tuple of "
                                                    "them), to put the claims to in place of a profile's")
    group.addoption("--seeds", type=int, metavar="N", help="seeds that every claim starts with (default: the profile's)")
    group.addoption("--max-seeds", type=int, metavar="N",
                    help="a claim that is still undecided gets more seeds, up to N (default: the profile's; fewer than 6 "
                         "cannot decide)")
    group.addoption("--first-seed", type=int, default=0, metavar="N",
                    help="number the seeds from N: another N repeats the claims with fresh draws (default: 0; the ledger "
                         "speaks of that block)")
    group.addoption("--budget", metavar="TIME", help="after this time (90s, 30m, 2h) no claim gets more seeds than it has")
    group.addoption("--store", metavar="FOLDER", help="where records are kept (default: .ddiv, or $DDIV_STORE)")
    group.addoption("--report", metavar="FILE", help="the page to write (default: reports/PROFILE.html)")
    group.addoption("--device", metavar="NAME", help="where to train: cpu, cuda, cuda:1 (default: CUDA if there)")
    group.addoption("--slots", type=int, metavar="N",
                    help="trials in flight at once over all workers (default: one a core, one thread each)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "claim: a claim of a paper, put to a study")
    try:
        own = config.getoption("study")
        chosen = of_file(Path(own)) if own else profile(config.getoption("profile"))
    except (UnknownProfile, BadStudyFile) as error:
        raise pytest.UsageError(str(error)) from None
    try:
        ledger.entries(config.rootpath / ledger.FILE)
    except ledger.BadLedger as error:
        raise pytest.UsageError(str(error)) from None
    seeds = chosen.seeds if config.getoption("seeds") is None else config.getoption("seeds")
    if seeds < 1:
        raise pytest.UsageError(f"--seeds needs a number of at least 1, got {seeds}")
    most = chosen.max_seeds if config.getoption("max_seeds") is None else config.getoption("max_seeds")
    if config.getoption("max_seeds") is not None and most < seeds:
        raise pytest.UsageError(f"--max-seeds is less than the {seeds} seeds to start with: give a larger one, or fewer --seeds")
    if max(most, seeds) > MOST_SEEDS:
        raise pytest.UsageError(f"at most {MOST_SEEDS} seeds can be weighed, got {max(most, seeds)}: lower --seeds or --max-seeds")
    try:
        budget = runs.seconds(config.getoption("budget"))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    first = config.getoption("first_seed")
    if not 0 <= first <= OTHER_SEEDS_BEGIN - MOST_SEEDS:
        raise pytest.UsageError(f"--first-seed lies between 0 and {OTHER_SEEDS_BEGIN - MOST_SEEDS}, got {first}")
    store = Store(config.getoption("store") or os.environ.get("DDIV_STORE") or config.rootpath / ".ddiv")
    worker = getattr(config, "workerinput", {})
    if "ddiv_run" in worker:
        run = msgspec.json.decode(worker["ddiv_run"], type=runs.Run)
    else:
        run = runs.Run(
            id=runs.new_id(), command=shlex.join(["pytest", *map(str, config.invocation_params.args)]),
            profile=chosen.name, seeds=tuple(range(first, first + seeds)), alpha=0.05,
            workers=len(getattr(config.option, "tx", None) or ["main"]),
            device=config.getoption("device") or "auto", strict=bool(config.getini("strict")), started=time.time(),
            max_seeds=max(most, seeds), budget=budget)
    _limit_threads()
    slots = config.getoption("slots") or usable_cores()
    crew = Crew(store, runs.folder(store, run.id), _measure(config.getoption("device")), slots=slots,
                worker=worker.get("workerid", "main"))
    page = config.getoption("report") or config.rootpath / "reports" / f"{chosen.name}.html"
    session = Session(store, chosen, run, crew, Reader(store), Path(page))
    config.stash[SESSION] = session
    config.pluginmanager.register(JUnitCounts(config), "ddiv-junit")
    if not worker and _asks_for_claims(config):
        try:
            store.check_writable()
            if run.device != "auto":
                from ddiv.measure import choose_device

                choose_device(run.device)
        except (StoreError, ValueError) as error:
            raise pytest.UsageError(str(error)) from None
        session.line = ProgressLine(session.folder, slots)


def _asks_for_claims(config: pytest.Config) -> bool:
    claims = config.rootpath / "claims"
    chosen = [Path(str(arg).split("::")[0]).resolve() for arg in config.args]
    return any(path == claims or claims in path.parents or path in claims.parents for path in chosen)


def _limit_threads() -> None:
    """One thread a process: trials run side by side, and the same threads give the same numbers under any -n."""
    from threadpoolctl import threadpool_limits

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for libraries not loaded yet, torch among them
    threadpool_limits(1)


def _measure(device: str | None):
    def measure(job: Job, records, report):
        # torch takes seconds to import, and a run whose records are all there never needs it.
        from ddiv.measure import measure as measure_now

        return measure_now(job, records, device, report)

    return measure


# --- collection: what is asked, and what must be trained for it ---------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    claim = getattr(metafunc.function, "claim", None)
    if claim is not None:
        names, rows = parameters(metafunc.function, metafunc.config.stash[SESSION].profile.studies)
        ids = ["-".join([claim.id, study.name, *others]) for study, *others in rows]
        metafunc.parametrize(names, rows, ids=ids)


def pytest_itemcollected(item: pytest.Item) -> None:
    function = getattr(item, "obj", None)
    if not hasattr(function, "claim"):
        return
    item.add_marker(pytest.mark.claim)
    session, given = item.config.stash[SESSION], dict(item.callspec.params)
    if not isinstance(given["study"], Study):
        return  # no study of the profile has what the claim needs: pytest skips it, saying that
    study, named = given["study"], variant(function, given)
    try:
        question = function.ask(**given)
    except NotApplicable as error:
        item.add_marker(pytest.mark.skip(reason=f"not applicable: {study.name}: {error}"))
        return
    known = ledger.entry(session.profile.name, function.claim.id, study.name, named, item.config.rootpath / ledger.FILE)
    asked = Asked(claim=function.claim, study=study, variant=named, question=question, seeds=session.run.seeds,
                  test=item.nodeid,
                  alpha=session.run.alpha / (CONTROL_SHARE if function.claim.control else 1),
                  expected=known)
    try:
        asked.jobs()
    except NotApplicable as error:
        asked = msgspec.structs.replace(asked, not_applicable=str(error))
    item.stash[ASKED] = asked


def pytest_collection_finish(session: pytest.Session) -> None:
    mine = session.config.stash[SESSION]
    claims = [item for item in session.items if ASKED in item.stash]
    for order, item in enumerate(claims):
        item.stash[ASKED] = msgspec.structs.replace(item.stash[ASKED], order=order)
    if not claims or session.config.getoption("collectonly"):
        return
    needed = [job for asked in (item.stash[ASKED] for item in claims) if not asked.not_applicable for job in asked.jobs()]
    mine.crew.plan = trials.with_requirements(needed)
    runs.save(mine.store, mine.run)
    runs.save_plan(mine.store, mine.run.id, mine.crew.plan)


# --- verdicts in pytest's words -----------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    report = yield
    if ASKED in item.stash and report.failed and VERDICT not in dict(report.user_properties):
        mine = item.config.stash[SESSION]
        text = str(call.excinfo.value) if call.excinfo else "failed"
        runs.save_asked(mine.store, mine.run.id, msgspec.structs.replace(item.stash[ASKED], error=text))
    return report


def pytest_report_teststatus(report: pytest.TestReport):
    if report.when != "call" or (verdict := _verdict(report)) is None:
        return None
    if hasattr(report, "wasxfail"):
        return f"expected-{verdict}", "x", f"EXPECTED {verdict.upper()}"
    if report.passed and verdict.startswith("control "):
        return "controls held", ".", "CONTROL HELD"
    if report.passed:
        return verdict, "." if verdict == "supported" else "?", verdict.upper()
    return None  # pytest's own word for what fails, so that it is shown as a failure


def _verdict(report: pytest.TestReport) -> str | None:
    return dict(report.user_properties).get(VERDICT)


def _tally(config: pytest.Config) -> Tally:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    reports = [report for group in terminal.stats.values() for report in group
               if isinstance(report, pytest.TestReport) and report.when == "call" and _verdict(report)] if terminal else []
    return tally((_verdict(report), hasattr(report, "wasxfail")) for report in reports)


class JUnitCounts:
    """Puts the counts of verdicts into JUnit XML, before pytest writes that file at the end of the session."""

    def __init__(self, config: pytest.Config):
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        counted = _tally(self.config)
        for plugin in self.config.pluginmanager.get_plugins():
            if counted.claims and hasattr(plugin, "add_global_property"):
                for name, count in counted.counts.items():
                    plugin.add_global_property(f"ddiv {name}", count)


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    mine, counted = config.stash[SESSION], _tally(config)
    if not counted.claims:
        return
    terminalreporter.section("claims")
    terminalreporter.write_line(str(counted))
    if mine.report.exists() and mine.report.stat().st_mtime >= mine.run.started:
        terminalreporter.write_line(f"report: {mine.report}")


# --- the session's frame ------------------------------------------------------------------------


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """xdist: tell a worker which run it belongs to."""
    node.workerinput["ddiv_run"] = msgspec.json.encode(node.config.stash[SESSION].run).decode()


def pytest_sessionstart(session: pytest.Session) -> None:
    line = session.config.stash[SESSION].line
    if line is not None:
        line.start(session.config.pluginmanager.get_plugin("terminalreporter"))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    mine = session.config.stash.get(SESSION, None)
    if mine is None:
        return
    if hasattr(session.config, "workerinput"):
        # A worker that is out of tests helps those that still wait for trials, unless the run is to stop.
        if exitstatus != pytest.ExitCode.INTERRUPTED and not session.config.getvalue("maxfail"):
            mine.crew.drain()
        return
    if mine.line is not None:
        mine.line.stop()
    if not any(mine.folder.glob("asked/*.json")):
        return
    from ddiv.report.page import write

    try:
        runs.save(mine.store, msgspec.structs.replace(mine.run, seconds=time.time() - mine.run.started))
        write(mine.store, mine.run.id, mine.report)
    except (StoreError, OSError) as error:
        raise pytest.UsageError(f"the report was not written: {error}") from None

