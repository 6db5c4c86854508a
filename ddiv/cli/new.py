"""`ddiv new`: a file of a user's own to begin with, which runs as it is."""

from __future__ import annotations

import argparse
import ast
import keyword
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from ddiv.cli import templates
from ddiv.common.paths import expanded
from ddiv.common.printed import command, one_line, operand

HELP = (
    "write a file to begin with: a study, a claim, a treatment, an outcome or an experiment of "
    "your own"
)

EPILOG = """\
Each file is short, says what its lines mean, and runs as it is:

  ddiv new study my_study                     my_study.py: what is trained, here small, on digits
  ddiv new study birds --images ~/data/birds  the same on a folder of photographs
  ddiv new claim dropout_shrinks              test_dropout_shrinks.py: a statement as a test
  ddiv new treatment label_smoothing          label_smoothing.py: a way to train, and a claim on it
  ddiv new outcome sharpness                  sharpness.py: a measurement, and a claim on it
  ddiv new experiment mean_error              mean_error.py: numbers that a function computes, a
                                              claim on them, and a study that needs no model

A claim, a treatment or an outcome is put to any of the first two, in seconds:

  pytest test_dropout_shrinks.py --study my_study.py

NAME is a name of Python's, such as my_study; before it may stand a folder (my_claims/NAME).
"""

KINDS = {
    "study": templates.STUDY,
    "claim": templates.CLAIM,
    "treatment": templates.TREATMENT,
    "outcome": templates.OUTCOME,
    "experiment": templates.EXPERIMENT,
}

# The most images of a class that a study of photographs is trained on, and the sizes of its batch.
PER_CLASS, BATCHES = 100, (40, 20, 10, 5, 2)

# Folders of a split, and not of domains, as in `ddiv.data.folder`.
_SPLITS = {"train", "training", "test", "val", "valid", "validation"}


class Refused(ValueError):
    """No file is written; the message says why."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `ddiv new`."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument("kind", choices=[*KINDS], metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("name", metavar="NAME", help="what it is called")
    parser.add_argument(
        "--images",
        type=expanded,
        metavar="FOLDER",
        help="with study: the photographs that it is about, as CLASS/FILE, as train/CLASS/FILE "
        "beside test/CLASS/FILE, or as DOMAIN/CLASS/FILE",
    )


def run(options: argparse.Namespace) -> int:
    """Write the file and say what to type next; 2 where there is a reason not to."""
    try:
        path, lines = written(options.kind, options.name, options.images)
    except Refused as error:
        print(f"ddiv: {one_line(error)}", file=sys.stderr)
        return 2
    print(f"{one_line(path)} is written. Look into it, and type:")
    for line in lines:
        print(f"  {line}")
    return 0


def written(kind: str, name: str, images: Path | None = None) -> tuple[Path, list[str]]:
    """The file that was written, and the commands that come next.

    Raises Refused where the name does not do or the file is there, and OSError.
    """
    folder, stem = Path(name).parent, Path(name).name
    require_usable(kind, stem)
    if not folder.is_dir():
        raise Refused(f"there is no folder {folder}: make it first")
    if images is not None and kind != "study":
        raise Refused(f"--images says what a study is about; a {kind} is put to any")
    text = filled(KINDS[kind], stem, images)
    file = f"test_{stem.removeprefix('test_')}.py" if kind == "claim" else f"{stem}.py"
    path = folder / file
    try:
        with path.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise Refused(f"{path} is there already: choose another name, or move it away") from error
    return path, list(_next(kind, path, images))


def require_usable(kind: str, name: str) -> None:
    """Raise Refused on a name that Python, pytest or ddiv could not use for such a file."""
    if not name.isidentifier() or keyword.iskeyword(name):
        plain = re.sub(r"\W+", "_", name.removesuffix(".py")).strip("_") or "mine"
        plain = f"_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain
        raise Refused(f"{name!r} is no name in Python: try {plain}")
    module = f"test_{name}" if kind == "claim" else name
    elsewhere = [path for path in sys.path if path and Path(path).resolve() != Path.cwd()]
    if (
        module in sys.stdlib_module_names
        or module in ("conftest", "ddiv", "pytest", "setup")
        or ((found := PathFinder.find_spec(module, elsewhere)) and found.origin)  # no mere folder
    ):
        raise Refused(f"{module!r} is the name of a module that others import: choose another")
    if kind == "study":
        from ddiv.profiles.profile import BUILT_IN

        if name in BUILT_IN:
            raise Refused(f"{name!r} is a profile of ddiv's own: choose another name")
    own = {"treatment": _class(name), "outcome": name, "experiment": name}.get(kind)
    if own and own in _names(KINDS[kind]):
        raise Refused(f"the file uses the name {own!r} for something else: choose another")
    if kind == "outcome":
        from ddiv.outcome.registry import OF_OUTPUTS, OF_SPECTRUM

        if name in OF_OUTPUTS or name in OF_SPECTRUM:
            raise Refused(f"ddiv has an outcome called {name!r}: choose another name")


def filled(template: str, name: str, images: Path | None) -> str:
    """A template for this name. Raises Refused where `images` is no folder with files in it."""
    words = name.removeprefix("test_").strip("_").replace("_", " ") or name
    data, kind, subject, batch = templates.DATA_OF_DIGITS, "Digits", "120 digits", BATCHES[0]
    if images is not None:
        files = _images(images)
        domains = "".join(f"{_literal(domain)}, " for domain in domains_of(files))
        named = f"\n    domains=({domains.rstrip()}),  # training uses the first"
        data = _replaced(
            templates.DATA_OF_IMAGES,
            FOLDER=_literal(images.resolve().name),
            PER_CLASS=str(PER_CLASS),
            DOMAINS=named if domains else "",
        )
        kind, subject, batch = "Images", "photographs", batch_for(files)
    return _replaced(
        template,
        DATA=data,
        KIND=kind,
        SUBJECT=subject,
        BATCH=str(batch),
        DASHED=words.replace(" ", "-"),
        WORDS=words,
        CLASS=_class(name),
        NAME=name.removeprefix("test_"),
    )


def _replaced(template: str, **values: str) -> str:
    """The template with values for its words, not within a longer name, nor within a value."""
    return re.sub(
        rf"(?:\b|(?<=test_))(?:{'|'.join(values)})\b", lambda found: values[found[0]], template
    )


def _images(folder: Path) -> list[tuple[str, ...]]:
    """The paths, in parts, of the images below a folder. Raises Refused where there are none."""
    from ddiv.data.listing import listed

    if not folder.is_dir():
        raise Refused(f"there is no folder {folder}")
    images = [PurePosixPath(each.name).parts for each in listed(folder).images]
    if not images:
        raise Refused(f"no image lies below {folder}")
    return images


def domains_of(images: Sequence[tuple[str, ...]]) -> list[str]:
    """The folders DOMAIN of images in the layout DOMAIN/CLASS/FILE; none in another layout."""
    first = sorted({parts[0] for parts in images})
    deep = all(len(parts) == 3 for parts in images)
    return [] if not deep or _SPLITS & {*map(str.casefold, first)} else first


def batch_for(images: Sequence[tuple[str, ...]]) -> int:
    """The largest of BATCHES that gives an epoch three steps or more, else the smallest.

    As `ddiv.data.folder` has it, without a folder to test on a quarter of each class is for that.
    """
    splits = {parts[0] for parts in images if len(parts) == 3}
    training = {name for name in splits if name.casefold() in ("train", "training")}
    of = training or {*domains_of(images)[:1]}
    counts = Counter(parts[:-1] for parts in images if not of or parts[0] in of)
    left = [n if training else n - max(round(n / 4), 1) for n in counts.values()]
    count = sum(min(PER_CLASS, n) for n in left)
    return next((batch for batch in BATCHES if 3 * batch <= count), BATCHES[-1])


def _next(kind: str, path: Path, images: Path | None) -> Iterator[str]:
    """The commands that put a claim to a study, one of which was written to `path`."""
    if kind == "experiment":
        yield command("pytest", operand(str(path)), "--study", operand(str(path)))
        return
    if kind != "study":
        if (study := _file_with(path.parent, "STUDY = ")) is not None:
            yield command("pytest", operand(str(path)), "--study", operand(str(study)))
            return
        yield command("pytest", operand(str(path)), "--profile", "smoke")
        study = path.parent / "my_study"
        yield f"{command('ddiv', 'new', 'study', operand(str(study)))}   # to put it to yours"
        return
    claim = _file_with(path.parent, "@claim(")
    if claim is None:
        claim = path.parent / "test_my_claim.py"
        yield command("ddiv", "new", "claim", operand(str(path.parent / "my_claim")))
    root = ["--data-root", str(images.resolve().parent)] if images is not None else []
    yield command("pytest", operand(str(claim)), "--study", operand(str(path)), *root)


def _file_with(folder: Path, words: str) -> Path | None:
    """The first Python file in a folder that has these words, and no experiment, which is asked
    about in studies of its own; None where none can be read.
    """
    for path in sorted(folder.glob("*.py")):
        try:
            text = path.read_text("utf-8")
            if words in text and "@experiment(" not in text:
                return path
        except (OSError, UnicodeDecodeError):
            continue
    return None


def _names(source: str) -> Iterator[str]:
    """What the imports, functions and parameters of a file are called."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.alias():
                yield node.asname or node.name
            case ast.FunctionDef():
                yield node.name
            case ast.arg():
                yield node.arg


def _class(name: str) -> str:
    return "".join(f"{word[:1].upper()}{word[1:]}" for word in name.split("_")) or "Own"


def _literal(text: str) -> str:
    quoted = repr(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in text else quoted
