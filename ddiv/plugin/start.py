"""From the options to the values of a session: its profile, its run, its store."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ddiv.common import printed
from ddiv.common.machine import limit_threads, usable_cores
from ddiv.common.paths import as_text, expanded, named, of_text
from ddiv.data.root import FOLDER_VARIABLE
from ddiv.finding import SURPRISE_SEEDS, Reader, ledger
from ddiv.plugin import options
from ddiv.plugin.ahead import Ahead
from ddiv.plugin.live import LivePage
from ddiv.plugin.options import ASKING, Options
from ddiv.plugin.session import SESSION, Session
from ddiv.profiles.choose import profile
from ddiv.profiles.profile import Profile
from ddiv.profiles.study_file import BadStudyFile, of_file
from ddiv.run import run as runs
from ddiv.run.crew import Crew, Measure
from ddiv.run.progress import ProgressLine
from ddiv.trial import Job
from ddiv.trial.places import require_meant
from ddiv.trial.store import Record, Store, StoreError

if TYPE_CHECKING:
    from ddiv.plugin.cluster import Drive, Told

# The options that name files and folders.
PATHS = ("study", "data_root", "store", "report")


def session(config: pytest.Config) -> None:
    """Make this process's `Session`, and stop at once where options or the store are not usable.

    Raises pytest.UsageError.
    """
    given = with_paths(options.read(config.option))
    project = folder_of_project(config)
    store = Store(given.store or named("DDIV_STORE") or project / ".ddiv")
    worker = getattr(config, "workerinput", None)
    limit_threads()
    try:
        require_own_settings(config)
        require_sendable(config)
        set_data_root(given)
        studies, wrong = _sound(given)
        run = _run(config, given, studies, project)
        address = None if given.plan or worker is not None else _cluster(config, given)
        if worker is None:
            if address is None:
                run = msgspec.structs.replace(run, slots=slots(given))
                run = msgspec.structs.replace(run, workers=_fewer_workers(config, run))
            if given.store or named("DDIV_STORE"):
                require_meant(store.root)
            if not given.plan:
                store.check_writable()
                if store.root == project / ".ddiv":
                    hide_from_git(store.root)
                runs.tidy(store)
                run = runs.placed(store, run)
        drive = None
        if address is not None:
            drive, run = _drive(config, address, given, studies, store, run)
    except BadStudyFile as error:
        raise pytest.UsageError(*map(printed.one_line, error.lines)) from None
    except (StoreError, ValueError) as error:
        raise pytest.UsageError(printed.one_line(error)) from None
    if given.plan:
        # One process counts and calibrates. xdist reads these options later, and starts no workers.
        # The run has counted the workers by now: the plan says how many trials are in flight.
        config.option.dist, config.option.tx = "no", []
    name = "main" if worker is None else worker["workerid"]
    crew, told = _crew(given, store, run, name, drive, worker)
    page = Path(given.report or project / "reports" / of_text(f"{studies.name}.html"))
    made = Session(store, studies, run, crew, Reader(store), page, project)
    made.wrong, made.named, made.drive = wrong, given.report is not None, drive
    if told is not None:
        made.on_nodes = told.absent
        if name in ("main", "gw0"):  # one process is enough to look ahead
            _look_ahead(made, crew)
    if worker is None and not given.plan:
        made.line = ProgressLine(made.folder, run.slots, answered=made.answers.answered)
        made.live = None if given.no_live else LivePage(made)
    config.stash[SESSION] = made


def folder_of_project(config: pytest.Config) -> Path:
    """The folder that the store, the page and the ledger belong into.

    Where one stands in a project, it is that, and elsewhere the folder that one stands in, as for
    the command `ddiv`: pytest's root is then the project of the claims, or the folder that all
    paths on the command line have in common, which may be anybody's (`/tmp`). A root that is told
    is taken.
    """
    here, root = config.invocation_params.dir, config.rootpath
    if config.getoption("rootdir", None) or config.getoption("inifilename", None):
        return root
    if (config.inipath or (root / "setup.py").is_file()) and root in (here, *here.parents):
        return root
    return config.invocation_params.dir


def _run(config: pytest.Config, given: Options, studies: Profile, project: Path) -> runs.Run:
    """The run that begins now, or in a worker of xdist the run that it belongs to."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if "ddiv_run" not in worker:
            raise ValueError(
                "with -n, name one of ddiv's options (--profile embedded, say) where the claims do "
                "not lie in a folder `claims`: workers start before anybody has seen a claim"
            )
        return msgspec.json.decode(worker["ddiv_run"], type=runs.Run)
    words, here = list(map(str, config.invocation_params.args)), config.invocation_params.dir
    strict, workers = bool(config.getini("strict")), len(getattr(config.option, "tx", None) or [""])
    told = (*options.surroundings(words), *asking(given, here, options.flags(config._parser)))
    return started(
        given,
        studies,
        project,
        printed.command("pytest", *printed.without_secrets(words)),
        strict,
        workers,
        told,
    )


def _fewer_workers(config: pytest.Config, run: runs.Run) -> int:
    """Start no more of xdist's workers than trials run at once; returns how many.

    Each reads all claims, and holds torch and its data: two gigabytes. More of them answer no
    sooner, as every worker answers while others train.
    """
    workers = getattr(config.option, "tx", None) or []
    if set(workers) == {"popen"} and config.option.dist != "each":
        config.option.tx = workers = workers[: run.slots]
    return len(workers) or run.workers


def hide_from_git(folder: Path) -> None:
    """Let git pass over a folder that ddiv made in somebody's project, as pytest does its cache."""
    ignore = folder / ".gitignore"
    with suppress(OSError), ignore.open("x", encoding="utf-8") as file:  # there, or no room
        file.write("*\n")


def _cluster(config: pytest.Config, given: Options) -> str | None:
    """The address of the cluster that this run is to join; None for this machine alone."""
    if config.getoption("collectonly") or not (given.ray or os.environ.get("RAY_ADDRESS")):
        return None
    from ddiv.run.cluster import joined

    return joined.address(given.ray)


def _drive(
    config: pytest.Config,
    address: str,
    given: Options,
    studies: Profile,
    store: Store,
    run: runs.Run,
) -> tuple[Drive, runs.Run]:
    """Join a cluster and drive it; the run has as many slots as that measures at once.

    Raises ValueError where that cannot be.
    """
    from ddiv.plugin import cluster

    there = cluster.join(address, given, studies, store)
    with_xdist = bool(getattr(config.option, "tx", None))
    drive = cluster.Drive(there, store, runs.folder(store, run.id), with_xdist)
    config.add_cleanup(drive.stop)
    return drive, msgspec.structs.replace(run, slots=max(1, there.at_once()))


def _crew(
    given: Options,
    store: Store,
    run: runs.Run,
    name: str,
    drive: Drive | None,
    worker: Mapping[str, Any] | None,
) -> tuple[Crew, Told | None]:
    """The crew of this process, and on a cluster what is told of its nodes."""
    folder = runs.folder(store, run.id)
    if drive is not None:
        return drive.crew(store, folder), drive.told
    if worker is not None and "ddiv_ray" in worker:
        from ddiv.plugin.cluster import Told, asker

        told = msgspec.json.decode(worker["ddiv_ray"], type=Told)
        return asker(told, store, folder, name), told
    return Crew(store, folder, _measure(given.device), slots=run.slots, worker=name), None


def _look_ahead(session: Session, crew: Any) -> None:
    session.ahead = Ahead(session.store.__contains__, crew.ask, session.answer, session.replicated)
    crew.meanwhile = session.ahead.step


def _measure(device: str | None) -> Measure:
    def measure(job: Job, records: Mapping[Job, Record], report: Callable[[float], None]) -> Record:
        # torch takes seconds to import, and a run whose records are all there never needs it.
        from ddiv.trial.measure import measure as measure_now

        return measure_now(job, records, device, report)

    return measure


def with_paths(given: Options) -> Options:
    """The options with `~` and variables in their paths filled in."""
    paths: dict[str, Any] = {
        name: str(expanded(path)) for name in PATHS if (path := getattr(given, name))
    }
    return replace(given, **paths)


def require_own_settings(config: pytest.Config) -> None:
    """Raise ValueError where pytest took the value of an option of ddiv's for a path to tests.

    It looks for its settings before it knows of ddiv's options: then beside that path, where there
    are none, or those of another project.
    """
    words, here = list(map(str, config.invocation_params.args)), config.invocation_params.dir
    files = ("pyproject.toml", "pytest.toml", "pytest.ini", "tox.ini", "setup.cfg")
    own = (here, *here.parents)
    if (config.inipath and config.inipath.parent in own) or not any(
        (up / name).exists() for up in own for name in files
    ):
        return
    for option, value in pairwise(words):
        name = option.removeprefix("--").removeprefix("ddiv-").replace("-", "_")
        if option.startswith("--") and name in PATHS and (here / value).exists():
            raise ValueError(
                f"pytest looked for its settings in {value}, not here: write {option}={value}, or "
                "name the claims before it (pytest claims ...)"
            )


def require_sendable(config: pytest.Config) -> None:
    """Raise ValueError where the command line has a name that xdist cannot send to its workers."""
    words = [*map(str, config.invocation_params.args), str(config.rootpath)]
    bad = next((word for word in words if as_text(word) != word), None)
    if bad is not None and getattr(config.option, "tx", None):
        raise ValueError(
            f"with -n, names have to be UTF-8 in the locale's encoding, and {as_text(bad)} is not: "
            "leave -n out, set LC_ALL=C.UTF-8, or rename it"
        )


def set_data_root(given: Options) -> None:
    """Put the folder of --data-root into the environment, for workers and `ddiv.data.root`.

    Raises ValueError where there is no such folder.
    """
    if given.data_root:
        if not Path(given.data_root).is_dir():
            raise ValueError(
                f"--data-root: there is no folder {given.data_root}. "
                "`ddiv fetch` says what may lie in it"
            )
        os.environ[FOLDER_VARIABLE] = str(Path(given.data_root).resolve())


def chosen(given: Options) -> Profile:
    """The profile that is named, or that of the file of studies. Raises ValueError."""
    return of_file(Path(given.study)) if given.study else profile(given.profile)


def _sound(given: Options) -> tuple[Profile, tuple[str, ...]]:
    """The profile, and what is wrong with further studies of its file.

    A plan is made of the others. Raises BadStudyFile where there are none, and where this is a run:
    nothing is trained then.
    """
    try:
        return chosen(given), ()
    except BadStudyFile as error:
        if not given.plan or error.rest is None:
            raise
        return error.rest, error.lines


def started(
    given: Options,
    studies: Profile,
    root: Path,
    command: str,
    strict: bool,
    workers: int = 1,
    told: Sequence[str] = (),
) -> runs.Run:
    """The run that begins now, of a project in the folder `root`; `told` are a rerun's options.

    Raises ValueError on options that are not possible, and on a ledger that cannot be read.
    """
    ledger.entries(root / ledger.FILE)  # raises BadLedger now, not at the first claim
    count = studies.seeds if given.seeds is None else given.seeds
    now = time.time()
    seeds, most = runs.block_of_seeds(given.first_seed, count, given.max_seeds, studies.max_seeds)
    # --max-seeds is a limit for every claim, whatever it is and comes to, on every study.
    limited = given.max_seeds is not None or given.seeds is not None
    headline = most if given.max_seeds is not None else max(most, studies.headline_seeds)
    surprise = most if given.max_seeds is not None else max(headline, SURPRISE_SEEDS)
    return runs.Run(
        id=runs.new_id(now),
        command=command,
        profile=studies.name,
        seeds=seeds,
        alpha=0.05,
        workers=workers,
        device=given.device or "auto",
        strict=strict,
        started=now,
        max_seeds=most,
        headline_seeds=headline,
        surprise_seeds=surprise,
        study_seeds={} if limited else studies.study_seeds,
        budget=runs.seconds_of(given.budget),
        options=tuple(told),
        slots=given.slots or usable_cores(),
    )


def slots(given: Options) -> int:
    """How many trials are measured at once: --slots, else one per core, or what the GPU takes.

    Raises NoSuchDevice, and ValueError on a number below 1.
    """
    wanted: int | None = given.slots
    if wanted is not None and wanted < 1:
        raise ValueError(f"--slots needs a number of at least 1, got {wanted}")
    has_gpu = shutil.which("nvidia-smi") or Path("/dev/nvidiactl").exists()
    if given.device is None and not has_gpu:
        # torch would say the same, and takes seconds to import.
        return wanted or usable_cores()
    from ddiv.trial.devices import choose_device, trials_at_once

    device = choose_device(given.device)
    return wanted or trials_at_once(device)


def asking(given: Options, here: Path, flags: Mapping[str, str] | None = None) -> Iterator[str]:
    """The options of `ASKING` that do not have their defaults, as arguments for a rerun.

    Paths are written as they are seen from the folder `here`, in which a rerun is typed. `flags`
    are the names that options have where other plugins have taken theirs.
    """
    for name in ASKING:
        value = getattr(given, name)
        if value == getattr(Options, name) or (name == "profile" and given.study):
            continue
        if name in ("study", "data_root", "store"):
            path, folder = Path(value).resolve(), here.resolve()
            value = as_text(path.relative_to(folder) if path.is_relative_to(folder) else path)
            value = printed.operand(value)
        yield from ((flags or {}).get(name, f"--{name.replace('_', '-')}"), str(value))
