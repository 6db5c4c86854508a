"""Everything of ddiv that only a GPU can show, in one command with a limit of minutes.

    python benchmarks/gpu.py --minutes 8.5 --out gpu-results
    python benchmarks/gpu.py --only env ratio          some of the steps
    python benchmarks/gpu.py --tiny --minutes 5        the same on a CPU at a tiny size, to try it

The machine needs torch and torchvision with CUDA, transformers and pytest with xdist, but no
network and no installed ddiv. Wheels of other packages are taken from .gpu/wheels, where that
folder exists (benchmarks/README.md says how to fill it): they are installed into a temporary folder
for this run alone.

The steps, those first whose results are missed most:

    env       card, driver, versions; whether every package and every module of ddiv can be imported
    tests     the tests that are marked `cuda`
    study     a ResNet-18 at full width from scratch (cifar_study.py), where .gpu/data holds
              cifar10-lossless-subset.npz
    trial     where a whole trial's time goes, and what would shorten it   (gpu_trial.py)
    steps     images/s and share of the card's peak by number of workers,
              which take turns or share the card                           (training_gpu.py)
    arranged  ways to arrange a step of training on the card               (gpu_arrangements.py)
    eigen     ways to the eigenvalues of many matrices on the card         (gpu_eigen.py)
    spectra   eigenvalues of a ViT-B/32, and Vendi scores of 50,000 vectors, on the card and on the
              CPU                                                          (gpu_spectra.py)
    ratio     whole trials of three arms against the plain loop            (training.py)
    claims    some claims of the embedded profile, from an empty store

All limits together are over twenty minutes, though most steps end before. Where a machine is lent
for ten minutes a call, two calls share them:

    python benchmarks/gpu.py --only env tests study trial --out one
    python benchmarks/gpu.py --only steps arranged eigen spectra ratio claims --out two

Each is a process with a time limit of its own, and no longer than what is left of --minutes. The
next one runs whether or not it passed. The folder of --out gets STEP.log, the reports claims.html
and study.html, and gpu.json: the card, the command and, for each step, exit status, seconds, last
lines and figures. gpu.json is written after every step. A table comes last. The exit status is 0 if
at least one step ran and all that ran passed, else 1; steps that time did not suffice for are
named.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from embedded import trials_by_kind

ROOT, HERE = Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent
WHEELS, DATA = ROOT / ".gpu" / "wheels", ROOT / ".gpu" / "data"
GPU_TEST = re.compile(r"\bpytest\.mark\.cuda\b")
CLAIMS = (
    "clip-world and (drop-frobenius or wd-frobenius or aug-frobenius)"
    " or bert-complaints and drop-frobenius or resnet18-world and wd-frobenius"
)
TINY_CLAIMS = "resnet18-smoke-wd-frobenius"
STUDIED = "dropout or weight_decay or augmentation"
FEWEST_SECONDS = 10  # a step that has less than this is not started
GRACE = 5  # seconds that an interrupted step has to write what it has
LAST_LINES = 25


class Step(NamedTuple):
    """One process: what it runs, and for how long at most."""

    name: str
    seconds: float
    command: list[str]


def planned(out: Path, work: Path, tiny: bool) -> list[Step]:
    """All steps, in the order of what is missed most. Their figures go to files in `work`."""
    device = "cpu" if tiny else "cuda"
    size = ["--tiny"] if tiny else []
    on = ["--device", device, *size]

    def script(name: str, figures: str, *options: str) -> list[str]:
        return [sys.executable, str(HERE / name), *options, "--out", str(work / f"{figures}.json")]

    def pytest(figures: str, *options: str) -> list[str]:
        junit = ["-o", "junit_family=legacy", "--junitxml", str(work / f"{figures}.xml")]
        # by -p too: on a machine where ddiv is not installed, pytest finds no entry point of it
        plugins = ["-p", "ddiv.plugin", "-p", "no:cacheprovider"]
        return [sys.executable, "-m", "pytest", "-q", *plugins, *junit, *options]

    tests = ["-n", "0", "-k", "device"] if tiny else ["-n", "8", "-m", "cuda"]
    some = ["--profile", "smoke", "--seeds", "1", "--max-seeds", "1", "-n", "0", "-k", TINY_CLAIMS]
    workers = ["-n", "8", "--slots", "8"]  # models so small that a card's memory sets no limit
    claims = some if tiny else ["--max-seeds", "6", *workers, "-k", CLAIMS]
    study = ["--study", str(HERE / "cifar_study.py"), "--data-root", str(DATA), *workers]
    study += ["--seeds", "6", "--max-seeds", "6", "-k", STUDIED]
    trials = ["--images", "4000", "--repetitions", "1", "--without-speeds"]

    def claimed(name: str, *options: str) -> list[str]:
        kept = ["--store", str(work / f"store-{name}"), "--report", str(out / f"{name}.html")]
        return pytest(name, "claims", "--device", device, *kept, *options)

    studied = [Step("study", 280, claimed("study", *study))] if DATA.exists() and not tiny else []
    return [
        Step("env", 60, script("gpu_environment.py", "env")),
        Step("tests", 90, pytest("tests", "--maxfail", "20", *tests, *map(str, gpu_tests()))),
        *studied,
        Step("trial", 200, script("gpu_trial.py", "trial", *on)),
        Step("steps", 150, script("training_gpu.py", "steps", *on)),
        Step("arranged", 115, script("gpu_arrangements.py", "arranged", "--seconds", "85", *on)),
        Step("eigen", 75, script("gpu_eigen.py", "eigen", "--seconds", "55", *on)),
        Step("spectra", 60, script("gpu_spectra.py", "spectra", *on)),
        Step("ratio", 150, script("training.py", "ratio", *trials, *on)),
        Step("claims", 100, claimed("claims", *claims)),
    ]


def gpu_tests() -> list[Path]:
    """The files of tests/ that have a test which is skipped without a GPU."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path.relative_to(ROOT) for path in files if GPU_TEST.search(path.read_text("utf-8"))]


def run(step: Step, limit: float, log: Path, environment: dict[str, str]) -> dict:
    """Run a step for `limit` seconds at most: its exit status, seconds and last lines.

    `GRACE` before the limit it is interrupted, as by Ctrl-C; at the limit it is killed.
    """
    started, stopped = time.monotonic(), False
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            step.command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.wait(limit - GRACE)
        except subprocess.TimeoutExpired:
            stopped = True
            os.killpg(process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        finally:
            kill(process)
    lines = log.read_text("utf-8", "replace").rstrip().splitlines()
    return {
        "command": shlex.join(step.command),
        "rc": process.returncode,
        "stopped": stopped,
        "limit": round(limit, 1),
        "seconds": round(time.monotonic() - started, 1),
        "last_lines": lines[-LAST_LINES:],
    }


def kill(process: subprocess.Popen) -> None:
    """End a process and those that it has started."""
    with suppress(ProcessLookupError):  # all of them may have ended by themselves
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def figures(name: str, work: Path) -> Any:
    """What a step has measured, as far as it came; None where it has measured nothing."""
    try:
        if (work / f"{name}.json").exists():
            return json.loads((work / f"{name}.json").read_text("utf-8"))
        counts = junit(work / f"{name}.xml")
    except (OSError, ValueError, ElementTree.ParseError):  # it was stopped while it wrote
        return None
    store = work / f"store-{name}"
    return counts | ({"trials": trials_by_kind(store)} if store.exists() else {})


def junit(path: Path) -> dict:
    """How many tests pytest ran and how they ended, with ddiv's counts of verdicts."""
    suite = ElementTree.parse(path).getroot().find("testsuite")
    if suite is None:
        return {}
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    verdicts = {
        each.get("name", "").removeprefix("ddiv "): int(each.get("value", 0))
        for each in suite.iterfind("properties/property")
    }
    return counts | ({"verdicts": verdicts} if verdicts else {})


def card() -> str | None:
    """The GPU's name; None where torch sees none.

    Asked in a process of its own: this one takes no memory of the card. Exits where torch is
    missing.
    """
    code = "import torch; print(torch.cuda.is_available() and torch.cuda.get_device_name() or '')"
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False
    )
    if asked.returncode:
        sys.exit(f"{sys.executable} cannot load torch: {last(asked.stderr.splitlines())}")
    return last(asked.stdout.splitlines()) or None


def last(lines: list[str]) -> str:
    return lines[-1].strip() if lines else ""


def environment_with(site: Path, tiny: bool) -> tuple[dict[str, str], str]:
    """The environment of the steps, and what became of the wheels.

    ddiv, benchmarks/ and the wheels, installed into `site`, are on its PYTHONPATH.
    """
    wheels, outcome = sorted(map(str, WHEELS.glob("*.whl"))), "none"
    if wheels:
        options = "--no-index --no-deps --no-compile --no-cache-dir --upgrade --quiet --target"
        pip = [sys.executable, "-m", "pip", "install", *options.split(), str(site), *wheels]
        installed = subprocess.run(pip, capture_output=True, encoding="utf-8", check=False)
        error = last(installed.stderr.splitlines())
        outcome = f"not installed: {error}" if installed.returncode else f"{len(wheels)} installed"
        print(f"wheels of {WHEELS}: {outcome}", flush=True)
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(map(str, filter(None, (site, ROOT, HERE, before))))
    # one thread: on a CPU that has other work, several threads wait for each other most of the time
    threads = {"OMP_NUM_THREADS": "1"} if tiny else {}
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **threads}, outcome


def verdict(step: dict) -> str:
    if step["stopped"]:
        return f"STOPPED at {step['limit']:.0f} s"
    return "passed" if step["rc"] == 0 else f"FAILED (rc {step['rc']})"


def table(results: dict[str, dict], not_reached: list[str]) -> str:
    rows = [
        f"{name:9}{verdict(step):18}{step['seconds']:7.1f} s  {last(step['last_lines'])[:110]}"
        for name, step in results.items()
    ]
    return "\n".join([*rows, *(f"{name:9}not reached" for name in not_reached)])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [
        *dict.fromkeys([*(step.name for step in planned(Path(), Path(), tiny=False)), "study"])
    ]
    parser.add_argument(
        "--minutes",
        type=float,
        default=8.5,
        help="time for all steps together: what you have on the machine, less one (default: 8.5)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("gpu-results"),
        metavar="DIR",
        help="the folder for logs and results (default: gpu-results)",
    )
    parser.add_argument(
        "--only", nargs="+", choices=names, metavar="STEP", help=f"some of: {', '.join(names)}"
    )
    parser.add_argument(
        "--tiny", action="store_true", help="on the CPU, at a size of seconds: to try the command"
    )
    return parser.parse_args()


def main() -> None:
    options, end = arguments(), time.monotonic()
    end += 60 * options.minutes
    name = "none: --tiny, on the CPU" if options.tiny else card()
    if name is None:
        sys.exit("torch sees no CUDA device here; --tiny tries the steps on the CPU")
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict] = {}
    not_reached: list[str] = []
    with tempfile.TemporaryDirectory(prefix="ddiv-gpu-", ignore_cleanup_errors=True) as folder:
        work, site = Path(folder), Path(folder) / "site"
        environment, wheels = environment_with(site, options.tiny)
        for step in planned(out, work, options.tiny):
            if options.only and step.name not in options.only:
                continue
            left = end - time.monotonic()
            limit = left if options.tiny else min(step.seconds, left)
            if limit < FEWEST_SECONDS:
                not_reached.append(step.name)
            else:
                print(f"--- {step.name}, {limit:.0f} s at most", flush=True)
                result = run(step, limit, out / f"{step.name}.log", environment)
                results[step.name] = {**result, "figures": figures(step.name, work)}
                print("\n".join([*result["last_lines"], verdict(result)]), flush=True)
            record = {
                "command": shlex.join(["python", "benchmarks/gpu.py", *sys.argv[1:]]),
                "date": time.strftime("%Y-%m-%d", time.gmtime()),
                "card": name,
                "wheels": wheels,
                "steps": results,
                "not_reached": not_reached,
            }
            (out / "gpu.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    print(f"\n{out / 'gpu.json'}\n{table(results, not_reached)}")
    passed = results and all(verdict(step) == "passed" for step in results.values())
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
