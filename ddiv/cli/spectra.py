"""`ddiv spectra MODEL`: measures a model's weight matrices, as a table, a page, CSV or JSON."""

from __future__ import annotations

import argparse
import csv
import fnmatch
import io
import json
import math
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from ddiv.common.outputs import write_output
from ddiv.common.paths import expanded
from ddiv.common.printed import cell, one_line

if TYPE_CHECKING:
    from ddiv.spectra.load import Loaded
    from ddiv.spectra.matrices import WeightMatrix

HELP = (
    "measure the weight matrices of a model: power-law exponents, ranks, norms, Marchenko-Pastur "
    "fits, phases"
)

EPILOG = """\
MODEL is a file (safetensors, its index of shards, a torch checkpoint of tensors), a folder with
one, or a name of open_clip, timm, torchvision or transformers. A prefix (open_clip:, timm:,
torchvision: or hf:) says whose name it is.

  ddiv spectra ViT-B-32/openai --layers 'visual.*'    CLIP's image tower, OpenAI's weights
  ddiv spectra torchvision:resnet18 --html page.html  and a page with the spectra of every layer
  ddiv spectra google-bert/bert-base-uncased          a model of the Hugging Face hub
  ddiv spectra hf:bert --random                       random weights: no download
  ddiv spectra model.safetensors --kinds q,k,v        only attention's projections
  ddiv spectra model.pt --randomise --compare         and permuted weights; is the tail a power law?

alpha: exponent of the eigenvalues' density above xmin; ±: its standard error; D: its
Kolmogorov-Smirnov distance; tail: eigenvalues in the fit. Soft rank, spikes: top of the
Marchenko-Pastur bulk over the largest eigenvalue, and eigenvalues above the bulk. A letter after
alpha says that the fit cannot be relied on, and why.
"""

# The columns of WeightWatcher's table that the terminal shows; the files have all of them.
WATCHED = (
    "longname",
    "layer_type",
    "N",
    "M",
    "rf",
    "alpha",
    "D",
    "sigma",
    "num_pl_spikes",
    "stable_rank",
    "entropy",
    "mp_softrank",
    "num_spikes",
    "rand_num_spikes",
    "warning",
)

# What bootstrap.alpha_interval asks for, which would say so only after all else was computed.
FEWEST_RESAMPLES = 50

# The fits that --definitions stands for.
FITS = {"ddiv": "ks", "weightwatcher": "weightwatcher"}

MP = {"ddiv": "bulk", "weightwatcher": "weightwatcher"}

OURS_ONLY = ("html", "layers", "kinds", "conv", "compare", "bootstrap")


class UsageError(ValueError):
    """The options do not go together, or name what is not there."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `run`, and the explanations below its help."""
    _add_model(parser)
    _add_files(parser)
    _add_measurements(parser)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG


def _add_model(parser: argparse.ArgumentParser) -> None:
    """The options that say which matrices are measured."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a file, a folder or a model's name; see below")
    add(
        "--random",
        action="store_true",
        help="the architecture with random weights, without a download",
    )
    add("--library", metavar="L", help="whose name MODEL is: open_clip, timm, torchvision, hf")
    add(
        "--layers",
        action="append",
        metavar="GLOB",
        help="only matrices whose name matches, such as 'visual.*.mlp.*'; may be repeated",
    )
    add(
        "--kinds",
        metavar="K,K",
        help="only these kinds: linear, mlp, q, k, v, out, conv, embedding, other",
    )
    add(
        "--conv",
        choices=("pooled", "flat", "both"),
        default="pooled",
        help="convolutions as k*k slices (out, in) with pooled eigenvalues, as WeightWatcher "
        "does (default), as one matrix (out, in*k*k), or both",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    """The options that say what is written."""
    add = parser.add_argument
    add("--html", type=expanded, metavar="FILE", help="write a page with plots of every spectrum")
    add("--csv", type=expanded, metavar="FILE", help="write every column")
    add(
        "--json",
        type=expanded,
        metavar="FILE",
        help="write every column, what was skipped, and the settings",
    )


def _add_measurements(parser: argparse.ArgumentParser) -> None:
    """The options that say what is measured, and how."""
    add = parser.add_argument
    add(
        "--randomise",
        action="store_true",
        help="also the spectra of the same weights in random order",
    )
    add(
        "--compare",
        action="store_true",
        help="compare the power law with exponential, log-normal and truncated tails",
    )
    add(
        "--bootstrap",
        type=int,
        default=0,
        metavar="N",
        help="a 95 %% interval for alpha from N resamples, 50 or more",
    )
    add("--no-mp", action="store_true", help="without Marchenko-Pastur fits and phases")
    add(
        "--definitions",
        choices=("ddiv", "weightwatcher"),
        default="ddiv",
        help="weightwatcher: its power-law and Marchenko-Pastur fits, by ddiv's code (no phases)",
    )
    add(
        "--backend",
        choices=("ddiv", "weightwatcher"),
        default="ddiv",
        help="weightwatcher: that package's own table, on the CPU, to compare with",
    )
    add(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="where eigenvalues are computed",
    )
    add(
        "--seed",
        type=int,
        default=0,
        help="of random weights, permutations and resamples (default: 0)",
    )
    add("--verbose", action="store_true", help="name every skipped parameter")


def run(options: argparse.Namespace) -> int:
    """Measure, print and write what the options ask for; errors are printed as one line.

    Returns the exit status: 0, 1 where it cannot be done, 2 for a wrong use.
    """
    from ddiv.spectra.libraries import UnknownModel

    try:
        _check(options)
        if options.backend == "weightwatcher":
            _weightwatcher(options)
        else:
            _ddiv(options)
    except (UsageError, UnknownModel) as error:
        print(f"ddiv: {one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError:
        print("ddiv: there is not enough memory: name fewer --layers", file=sys.stderr)
        return 1
    except (ValueError, ImportError, RuntimeError) as error:
        print(f"ddiv: {one_line(' '.join(str(error).split()))}", file=sys.stderr)
        return 1
    return 0


def _check(options: argparse.Namespace) -> None:
    """Raise UsageError on what is wrong, before anything is downloaded or computed."""
    for path in filter(None, (options.html, options.csv, options.json)):
        if not path.absolute().parent.is_dir():
            raise UsageError(f"the folder of {path} does not exist")
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name a file")
    if options.bootstrap and options.bootstrap < FEWEST_RESAMPLES:
        raise UsageError(f"--bootstrap takes a number of resamples, at least {FEWEST_RESAMPLES}")
    if not 0 <= options.seed < 2**63:
        raise UsageError(f"--seed lies between 0 and 2**63 - 1, got {options.seed}")
    if options.backend == "weightwatcher":
        values = {name: getattr(options, name) for name in OURS_ONLY}
        if ours := [name for name, value in values.items() if value and value != "pooled"]:
            raise UsageError(
                f"--{ours[0]} is ddiv's own: it does not go with --backend weightwatcher"
            )


def _load(options: argparse.Namespace) -> Loaded:
    from ddiv.spectra.load import load
    from ddiv.spectra.table import plural

    loaded = load(options.model, random=options.random, library=options.library, seed=options.seed)
    if not loaded.matrices:
        left = plural(len(loaded.skipped), "parameter")
        reasons = Counter(reason for _, reason in loaded.skipped).most_common(2)
        why = "; ".join(reason for reason, _ in reasons)
        raise ValueError(f"{options.model} holds no weight matrix; skipped: {left} ({why})")
    return loaded


def _ddiv(options: argparse.Namespace) -> None:
    from ddiv.spectra.analysis import analyse, columns
    from ddiv.spectra.table import text

    loaded = _load(options)
    matrices, note = _chosen(loaded, options)
    with _progress(sys.stderr) as progress:
        analysis = analyse(
            matrices,
            loaded.skipped,
            fit_method=FITS[options.definitions],
            mp_definition=None if options.no_mp else MP[options.definitions],
            randomise=options.randomise,
            compare=options.compare,
            bootstrap=options.bootstrap,
            seed=options.seed,
            device=options.device,
            progress=progress,
        )
    if not analysis.layers:
        raise ValueError(
            f"nothing of {options.model} could be measured: {' '.join(analysis.skipped[-1])}"
        )
    print(one_line(f"{loaded.name}: {loaded.source}"))
    print(text(analysis, width=_width(), verbose=options.verbose))
    if note:
        print(one_line(note))
    chosen = {
        "model": loaded.name,
        "source": loaded.source,
        **loaded.meta,
        "conv": options.conv,
        "layers": options.layers,
        "kinds": options.kinds,
    }
    _write(options, columns(analysis), {**chosen, **analysis.settings}, analysis.skipped)
    if options.html:
        from ddiv.report.figures.spectra import render

        page = render(analysis, title=loaded.name, source=loaded.source, settings=chosen, note=note)
        write_output(options.html, page.encode())
        print(one_line(options.html))


def _chosen(loaded: Loaded, options: argparse.Namespace) -> tuple[list[WeightMatrix], str]:
    """The matrices that the options ask for, and a line on those that they leave out."""
    from ddiv.spectra.matrices import KINDS
    from ddiv.spectra.table import plural

    matrices = list(loaded.matrices)
    other = "flat" if options.conv == "pooled" else "pooled"
    if options.conv != "both":
        matrices = [m for m in matrices if m.kind != f"conv-{other}"]
    twins = len(loaded.matrices) - len(matrices)
    if options.kinds:
        asked = {kind.strip() for kind in options.kinds.split(",")} - {""}
        if unknown := asked - {*KINDS, "conv"}:
            raise UsageError(f"unknown kind {min(unknown)!r}: {', '.join(KINDS)}, or conv")
        matrices = [m for m in matrices if m.kind in asked or m.kind.partition("-")[0] in asked]
    if options.layers:
        matrices = [
            m for m in matrices if any(fnmatch.fnmatchcase(m.name, glob) for glob in options.layers)
        ]
    if not matrices:
        some = ", ".join(m.name for m in loaded.matrices[:: max(1, len(loaded.matrices) // 4)][:4])
        raise UsageError(
            f"--layers, --kinds and --conv leave none of {len(loaded.matrices)} matrices; "
            f"names are such as {some}"
        )
    others = len(loaded.matrices) - twins - len(matrices)
    parts = [f"{plural(others, 'matrix', 'matrices')} not asked for"] if others else []
    if twins:
        parts.append(
            f"{plural(twins, 'convolution')} measured one way only (--conv both for {other} too)"
        )
    return matrices, "; ".join(parts)


def _weightwatcher(options: argparse.Namespace) -> None:
    from ddiv.spectra import watcher
    from ddiv.spectra.table import Column, number, table

    loaded = _load(options)
    if loaded.model is None:
        raise UsageError(
            "WeightWatcher needs a model's modules, and a file has weights alone: take the ddiv "
            "backend, or a model's name"
        )
    watched = watcher.table(loaded.model, mp=not options.no_mp, randomise=options.randomise)
    shown = [name for name in WATCHED if name in watched]
    columns = [
        Column(
            name,
            [number(v) if isinstance(v, float) else one_line(v) for v in watched[name]],
            keep=len(shown) - i,
            right=i > 1,
        )
        for i, name in enumerate(shown)
    ]
    print(one_line(f"{loaded.name}: {loaded.source}; measured by WeightWatcher on the CPU"))
    print("\n".join(table(columns, _width())))
    settings = {
        "model": loaded.name,
        "source": loaded.source,
        **loaded.meta,
        "backend": "weightwatcher",
    }
    _write(options, watched, settings, ())


def _write(
    options: argparse.Namespace,
    columns: Mapping[str, list[Any]],
    settings: Mapping[str, object],
    skipped: Sequence[tuple[str, str]],
) -> None:
    """Write the CSV and JSON files that were asked for, and print their names."""
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    if options.csv:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, list(columns))
        writer.writeheader()
        writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
        write_output(options.csv, table.getvalue().encode())
    if options.json:
        rows = [
            {
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in row.items()
            }
            for row in rows
        ]
        content = {
            "settings": settings,
            "layers": rows,
            "skipped": [{"parameter": name, "reason": reason} for name, reason in skipped],
        }
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False, default=str)
        write_output(options.json, f"{text}\n".encode())
    for path in filter(None, (options.csv, options.json)):
        print(one_line(path))


def _width() -> int | None:
    """The terminal's width in characters; None for a file or a pipe, which have room."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@contextmanager
def _progress(
    out: TextIO, *, after: float = 1.0, period: float = 10.0
) -> Iterator[Callable[[int, int, str], None]]:
    """A function that tells how far the work is.

    It writes a line, redrawn in place on a terminal and a new one every `period` seconds elsewhere.
    Nothing is written in the first `after` seconds.
    """
    from ddiv.common.units import duration

    begun, told, in_place = time.monotonic(), 0.0, out.isatty()
    pause = 0.2 if in_place else period
    told_at = begun + after - pause

    def tell(done: int, total: int, name: str) -> None:
        nonlocal told_at, told
        now = time.monotonic()
        if now - told_at < pause or not done:
            return
        left = ""
        if done > total / 20:
            left = f"about {duration((now - begun) * (total - done) / done)} left · "
        line = f"spectra: {done} of {total} · {left}{one_line(name)}"
        columns = shutil.get_terminal_size().columns - 1
        out.write(f"\r{line[:columns]:<{columns}}" if in_place else line + "\n")
        out.flush()
        told_at, told = now, True

    try:
        yield tell
    finally:
        if told and in_place:
            out.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            out.flush()
