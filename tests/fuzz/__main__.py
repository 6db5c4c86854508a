"""The command: `python -m tests.fuzz`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import stat
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

# Before anything imports torch: one thread, or forked processes could wait for those that are gone.
os.environ |= {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}

EPILOG = """\
examples:
  python -m tests.fuzz --minutes 60 --out benchmarks/results/fuzz.json
  python -m tests.fuzz --reader checkpoint --minutes 5 --seed 7
  python -m tests.fuzz --reader npz --input 4711        one input again, with its whole error
  python -m tests.fuzz --again /tmp/failures/npz-4711   a kept input again

readers:
  {readers}

An input is "ok" where ddiv takes it, a "clear error" where it refuses it with an error of its own.
Failures are a payload that ran, a raw error (any other exception, or none that says anything), a
hang, memory (more than 1.5 GB for a few kilobytes) and a crash. The first of each cause is made
smaller and kept below --failures. The table goes to standard output, with --out as JSON too. The
exit status is 1 where there are failures. One seed gives the same inputs each time."""

BATCH = 40


def main() -> int:
    from tests.fuzz.readers import READERS

    options = _options(READERS)
    scratch = Path(
        tempfile.mkdtemp(prefix="ddiv-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    )
    try:
        _prepared(scratch)
        if options.again or options.input is not None:
            return _again(options, scratch, READERS)
        return _fuzz(options, scratch, READERS)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _options(readers) -> argparse.Namespace:
    listed = "\n  ".join(f"{name:<12} {reader.what}" for name, reader in readers.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Mutated files and answers for every reader of such that come from outside.",
        epilog=EPILOG.format(readers=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="for all readers together (default: 10)")
    add("--inputs", type=int, metavar="N", help="stop after about N inputs of each reader")
    add("--seed", type=int, default=0, help="of the inputs (default: 0)")
    add(
        "--reader",
        action="append",
        choices=readers,
        metavar="NAME",
        help="only this reader; may be repeated",
    )
    add("--out", type=Path, metavar="FILE", help="write the figures there, as JSON")
    kept = Path(tempfile.gettempdir(), "ddiv-fuzz-failures")
    add("--failures", type=Path, default=kept, metavar="FOLDER", help=f"default: {kept}")
    add("--input", type=int, metavar="NUMBER", help="only this input of the one --reader")
    add("--again", type=Path, metavar="FOLDER", help="only the input that is kept there")
    return parser.parse_args()


def _prepared(scratch: Path) -> None:
    """What forked processes shall find done: imports, one thread, a false Ghostscript."""
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    import open_clip
    import openai
    import PIL.Image
    import transformers

    import ddiv.cli.main
    import ddiv.data.folder
    import ddiv.generate.openai_client
    import ddiv.models.bert_files
    import ddiv.models.open_clip_models
    import ddiv.spectra.load

    PIL.Image.init()
    _ = open_clip, openai, transformers, ddiv
    # PostScript that is run is a payload that ran.
    (scratch / "bin").mkdir()
    for name in ("gs", "gswin64c"):
        program = scratch / "bin" / name
        program.write_text('#!/bin/sh\ntouch "$DDIV_FUZZ_MARKER"\nexit 1\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    os.environ |= {
        "PATH": f"{scratch / 'bin'}:{os.environ['PATH']}",
        "HOME": str(scratch), "HF_HOME": str(scratch / "hf"),
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "DDIV_CACHE": str(scratch / "decoded"), "DDIV_TEXTS": str(scratch / "texts"),
    }  # fmt: skip


def _fuzz(options: argparse.Namespace, scratch: Path, readers) -> int:
    from tests.fuzz import fork, inputs
    from tests.fuzz.readers import store
    from tests.fuzz.smaller import smaller

    names = [name for name in readers if not options.reader or name in options.reader]
    if {"record", "run"} & set(names):
        store()
    began = time.monotonic()
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    spent: dict[str, float] = dict.fromkeys(names, 0.0)
    causes: dict[tuple[str, str, str], list] = defaultdict(list)
    told = 0.0
    while (left := options.minutes * 60 - (time.monotonic() - began)) > 0:
        waiting = [
            name for name in names if not options.inputs or counts[name].total() < options.inputs
        ]
        if not waiting:
            break
        name = min(waiting, key=spent.__getitem__)  # equal times, whatever an input takes
        made, first = _made(options.seed, name, readers[name]), counts[name].total()
        started = time.monotonic()
        size = BATCH if left > 30 else 5
        for number, outcome in fork.batch(
            readers[name], made, range(first, first + size), scratch / name
        ):
            counts[name][outcome.kind] += 1
            if outcome.kind in fork.FAILURES:
                causes[name, outcome.kind, outcome.where].append((number, outcome))
                if len(causes[name, outcome.kind, outcome.where]) == 1:
                    print(
                        f"fuzz: {name} input {number}: {outcome.kind}: {outcome.where}",
                        file=sys.stderr,
                        flush=True,
                    )
                    files = smaller(
                        readers[name], made(number), outcome, scratch / f"{name}-smaller"
                    )
                    kept = options.failures / f"{name}-{number}"
                    shutil.rmtree(kept, ignore_errors=True)
                    inputs.write(files, kept)
                    kept.with_name(f"{kept.name}.txt").write_text(
                        f"seed {options.seed}, {outcome.kind}: {outcome.where}\n\n{outcome.text}\n",
                        errors="replace",
                    )
        spent[name] += time.monotonic() - started
        if time.monotonic() - told > 15:
            told = time.monotonic()
            total = sum(one.total() for one in counts.values())
            print(
                f"fuzz: {(told - began) / 60:.1f} min, {total} inputs, "
                f"{len(causes)} causes of failures",
                file=sys.stderr,
                flush=True,
            )
    figures = {
        "command": " ".join(("python -m tests.fuzz", *sys.argv[1:])),
        "machine": f"{platform.platform()}, {os.cpu_count()} cores",
        "minutes": round((time.monotonic() - began) / 60, 2),
        "seed": options.seed,
        "inputs": sum(one.total() for one in counts.values()),
        "failures": {kind: sum(one[kind] for one in counts.values()) for kind in fork.FAILURES},
        "by reader": {
            name: {"inputs": one.total(), **dict(sorted(one.items()))}
            for name, one in counts.items()
        },
        "causes": [
            {
                "reader": name,
                "kind": kind,
                "where": where,
                "times": len(found),
                "input": found[0][0],
                "text": found[0][1].text[-600:],
            }
            for (name, kind, where), found in sorted(causes.items())
        ],
    }
    print(_table(figures, fork.FAILURES))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if causes else 0


def _made(seed: int, name: str, reader):
    def made(number: int):
        import torch

        rng = random.Random(f"{seed}/{name}/{number}")
        torch.manual_seed(rng.randrange(2**31))
        return reader.make(rng)

    return made


def _table(figures, failures) -> str:
    kinds = ("ok", "clear error", "not made", *failures)
    head = "reader", "inputs", *kinds
    rows = [
        (name, one["inputs"], *(one.get(kind, 0) for kind in kinds))
        for name, one in figures["by reader"].items()
    ]
    lines = [
        f"`{figures['command']}`: {figures['inputs']} inputs in {figures['minutes']:g} minutes "
        f"({figures['machine']}).",
        "",
        *("| " + " | ".join(map(str, row)) + " |" for row in (head, ("---",) * len(head), *rows)),
        *(
            "\n{reader} input {input} (x {times}): {kind}: {where}".format_map(cause)
            for cause in figures["causes"]
        ),
    ]
    return "\n".join(lines)


def _again(options: argparse.Namespace, scratch: Path, readers) -> int:
    from tests.fuzz import fork
    from tests.fuzz.inputs import Link

    if options.again:
        name, number = options.again.name.rsplit("-", 1)
        files = {
            str(path.relative_to(options.again)): (
                Link(os.readlink(path)) if path.is_symlink() else path.read_bytes()
            )
            for path in options.again.rglob("*")
            if path.is_symlink() or path.is_file()
        }
        made = lambda _: files  # noqa: E731
    else:
        (name,), number = options.reader, options.input
        made = _made(options.seed, name, readers[name])
    ((_, outcome),) = fork.batch(
        readers[name], made, range(int(number), int(number) + 1), scratch / name
    )
    print(f"{name} input {number}: {outcome.kind} {outcome.where}\n{outcome.text}")
    return outcome.kind in fork.FAILURES


if __name__ == "__main__":
    sys.exit(main())
