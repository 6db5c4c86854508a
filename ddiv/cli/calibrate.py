"""`ddiv calibrate`: what an optimiser alone does in a study, measured before any arm is judged."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from ddiv import trial as trials
from ddiv.common.files import write_atomically
from ddiv.common.machine import usable_cores
from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded
from ddiv.common.printed import one_line
from ddiv.data.root import FOLDER_VARIABLE
from ddiv.finding import Reader
from ddiv.finding.calibrating import calibrated, jobs
from ddiv.finding.calibration import SHIPPED, Calibration, path_in, written
from ddiv.profiles.choose import profile
from ddiv.profiles.profile import BUILT_IN, UnknownProfile
from ddiv.profiles.study_file import BadStudyFile, of_file
from ddiv.run.crew import Crew, JobFailed, kind_of
from ddiv.run.files import sealed
from ddiv.run.progress import describe
from ddiv.run.run import PlannedJobs
from ddiv.study import Study
from ddiv.trial import Job, Trial
from ddiv.trial.store import Record, Store, StoreError

HELP = "measure what an optimiser alone does in a study, which specific verdicts are told against"

EPILOG = """\
Trains the optimisation controls of each study (other learning rates, other lengths) on seeds that
no claim uses, and writes how far a mere optimiser lies from the curves that they make. Without that
no claim has a specific verdict on a study of your own:

  ddiv calibrate --study my_study.py -n 2
  ddiv calibrate --profile paper --only clip-vit-b32-cifar10 --device cuda

It depends on data, model and recipe, and on no dose. What is stored is not trained again, so a call
that was interrupted goes on where it was. The studies of the profiles `embedded` and `full` come
calibrated.
"""

PERIOD_SECONDS = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv calibrate`."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--study", type=expanded, metavar="FILE", help="a Python or TOML file of your own studies"
    )
    which.add_argument(
        "--profile", default="embedded", metavar="NAME", help=f"one of {', '.join(BUILT_IN)}"
    )
    parser.add_argument("--only", metavar="NAME", help="one study of these")
    parser.add_argument(
        "-n", dest="workers", type=int, default=usable_cores(), metavar="N",
        help="trials at once (default: one per core)",
    )  # fmt: skip
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: CUDA where it is)")
    parser.add_argument("--data-root", type=expanded, metavar="FOLDER", help="where data lies")
    parser.add_argument(
        "--ship",
        action="store_true",
        help="write into the package, not the store: for those who change ddiv's own studies",
    )


def run(store: Store, options: argparse.Namespace) -> int:
    """Calibrate the studies and return the exit status. Raises StoreError and NotWritten."""
    try:
        chosen = studies(options)
    except (BadStudyFile, UnknownProfile, ValueError) as error:
        _complain(error)
        return 2
    store.check_writable()
    wanted: list[Job] = [job for study in chosen for job in jobs(study)]
    if not _train(store, wanted, options):
        return 1
    reader = Reader(store)
    for study in chosen:
        found = calibrated(study, reader)
        place = SHIPPED / f"{study.name}.json" if options.ship else path_in(store.root, study)
        write_output(place, written(found))
        print(one_line(f"{_told(found)}: {place}"))
    return 0


def studies(options: argparse.Namespace) -> list[Study]:
    """The studies to calibrate. Raises BadStudyFile, UnknownProfile and ValueError."""
    if options.data_root:
        os.environ[FOLDER_VARIABLE] = str(options.data_root.resolve())
    if options.workers < 1:
        raise ValueError(f"-n is the number of trials at once, got {options.workers}")
    chosen = of_file(options.study) if options.study else profile(options.profile)
    trained = [study for study in chosen.studies if study.trains]
    named = [study for study in trained if options.only in (None, study.name)]
    if not trained:
        raise ValueError(
            "nothing to calibrate: no study here trains networks, all are of experiments alone"
        )
    if not named:
        names = ", ".join(study.name for study in trained)
        raise ValueError(f"--only: there is no study {options.only!r}; there are: {names}")
    trained = [study for study in named if not study.fixed_sample]
    if not trained:
        raise ValueError("nothing is trained in studies of published tables, nor calibrated")
    return trained


def _told(found: Calibration) -> str:
    return (
        f"{found.study}: {len(found.margins)} outcomes, {found.held_out_matched} of "
        f"{found.held_out} held-out trials matched, most accurate: {found.best}"
    )


def _train(store: Store, wanted: Sequence[Job], options: argparse.Namespace) -> bool:
    """Train what the store lacks, several at once. False where a trial failed."""
    missing = {trials.key(job): kind_of(job) for job in wanted if job not in store}
    if not missing:
        return True
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # trials run side by side
    with tempfile.TemporaryDirectory(prefix="ddiv-calibrate-") as folder:
        plan = PlannedJobs(len(wanted), missing)
        write_atomically(Path(folder) / "plan.json", sealed(plan), durable=False)
        work = partial(_work, store.root, Path(folder), options)
        if options.workers == 1:
            return work(0)
        processes = [
            multiprocessing.get_context("spawn").Process(target=_exit_with, args=(work, i))
            for i in range(min(options.workers, len(missing)))
        ]
        for process in processes:
            process.start()
        _watch(processes, Path(folder))
    return not any(process.exitcode for process in processes)


def _watch(processes: Sequence[BaseProcess], folder: Path) -> None:
    """Wait for all processes, and tell how far they are."""
    told, since = "", time.monotonic()
    while any(process.is_alive() for process in processes):
        next(process for process in processes if process.is_alive()).join(0.5)
        if time.monotonic() - since >= PERIOD_SECONDS:
            since = time.monotonic()
            line = describe(folder, len(processes)) or told
            if line != told:
                print(one_line(line), flush=True)
            told = line


def _exit_with(work: Callable[[int], bool], worker: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(0 if work(worker) else 1)


def _end_with_parent() -> None:
    """Train no longer than the process that asked for it lives: it may be killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _work(root: Path, folder: Path, options: argparse.Namespace, worker: int) -> bool:
    """One process's part: the studies' file is read again, as what it defines is of a process."""
    from ddiv.trial.measure import measure  # imports torch

    def measured(
        job: Job, records: Mapping[Job, Record], progress: Callable[[float], None]
    ) -> Record:
        return measure(job, records, options.device, progress)

    wanted: list[Trial] = [job for study in studies(options) for job in jobs(study)]
    crew = Crew(
        Store(root), folder, measured, wanted, slots=options.workers, worker=f"calibrate-{worker}"
    )
    try:
        crew.obtain(wanted)
    except (JobFailed, StoreError) as error:
        if worker == 0:  # the others met with the same
            _complain(error)
        return False
    return True


def _complain(text: object) -> None:
    print(f"ddiv: {one_line(text)}", file=sys.stderr)
