"""The options that pytest has with ddiv, as a table, and their values as one value.

Nothing of ddiv's is imported here: pytest loads this in every project of an environment with ddiv.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pytest

GROUP = "ddiv"
PREFIX = "ddiv_"  # of the names of our values among those of all plugins


@dataclass(frozen=True)
class Options:
    """What the command line asks of ddiv; the fields are named as the options are."""

    profile: str = "embedded"
    study: str | None = None
    data_root: str | None = None
    plan: bool = False
    seeds: int | None = None
    max_seeds: int | None = None
    first_seed: int = 0
    budget: str | None = None
    store: str | None = None
    report: str | None = None
    device: str | None = None
    slots: int | None = None
    no_live: bool = False
    ray: str | None = None
    ray_store: str | None = None


# The options that decide what a test asks.
ASKING = ("profile", "study", "data_root", "store", "seeds", "max_seeds", "first_seed")

# Options of pytest's own that decide which tests there are, how their files are imported, and which
# verdicts fail. Those of _FLAGS take no value.
_SURROUNDINGS = (
    *("-c", "--config-file", "--rootdir", "--confcutdir", "--noconftest", "--import-mode"),
    *("-o", "--override-ini", "-p", "--strict"),
)
_FLAGS = ("--noconftest", "--strict")

TABLE: dict[str, dict[str, Any]] = {
    "profile": {
        "metavar": "NAME",
        "help": "the studies to run: embedded, full, smoke, paper, authors (default: embedded)",
    },
    "study": {
        "metavar": "FILE",
        "help": (
            "a file of studies to put the claims to in place of a profile's: a Python file that "
            "defines STUDY, a ddiv.study.Study (or STUDIES, a tuple of them), or a TOML file of "
            "the same"
        ),
    },
    "data_root": {
        "metavar": "FOLDER",
        "help": (
            "where the data sets lie that ddiv doesn't make itself (default: $DDIV_DATA, or "
            "ddiv/data in the user's cache folder); `ddiv fetch` lists them. Tests of a study "
            "without its data are skipped, saying so"
        ),
    },
    "plan": {
        "action": "store_true",
        "help": (
            "run no test: say how many trials the selected tests need and how many are stored, "
            "and what time, disk and memory the others take on this machine, by stored records "
            "and a short calibration"
        ),
    },
    "seeds": {
        "type": int,
        "metavar": "N",
        "help": "seeds that every claim starts with (default: the profile's)",
    },
    "max_seeds": {
        "type": int,
        "metavar": "N",
        "help": (
            "a claim that is still undecided gets more seeds, up to N (default: the profile's; "
            "fewer than 6 cannot decide), and a verdict that the ledger does not know gets more, "
            "up to N or by default 16, until it is sure among all questions of the run"
        ),
    },
    "first_seed": {
        "type": int,
        "metavar": "N",
        "help": (
            "number the seeds from N: another N repeats the claims with fresh draws (default: 0; "
            "the ledger speaks of the seeds from 0)"
        ),
    },
    "budget": {
        "metavar": "TIME",
        "help": "after this time (90s, 30m, 2h) no claim gets more seeds than it has",
    },
    "store": {
        "metavar": "FOLDER",
        "help": "where records are kept (default: .ddiv, or $DDIV_STORE)",
    },
    "report": {
        "metavar": "FILE",
        "help": (
            "the page to write (default: reports/PROFILE.html; where that shows more claims than "
            "this run asks, reports/PROFILE-part.html)"
        ),
    },
    "device": {
        "metavar": "NAME",
        "help": "where to train: cpu, cuda, cuda:1 (default: CUDA if there)",
    },
    "slots": {
        "type": int,
        "metavar": "N",
        "help": (
            "trials in flight at once over all workers (default: one per core, one thread each; "
            "on a GPU as many as its free memory takes; with --ray on each GPU, or over all nodes)"
        ),
    },
    "ray": {
        "metavar": "ADDRESS",
        "help": (
            "train on a cluster of Ray's: auto (the one that this machine is of, else one is "
            "started here), HOST:6379, ray://HOST:10001 for a client, local, none (default: "
            "$RAY_ADDRESS). -n is then the number of processes that ask"
        ),
    },
    "ray_store": {
        "metavar": "FOLDER",
        "help": (
            "the store as Ray's nodes see it, where they share its disk: records then need not "
            "travel (default: they travel)"
        ),
    },
    "no_live": {
        "action": "store_true",
        "help": "write the page at the end only, and not while the run goes on",
    },
}


def add(parser: pytest.Parser) -> None:
    """Add the options to pytest's, once.

    An option whose name another plugin has taken has the name `--ddiv-NAME` alone.
    """
    group = _group(parser)
    if group.options:
        return
    taken = set(_names(parser))
    for name, properties in TABLE.items():
        flag = name.replace("_", "-")
        flag = f"--ddiv-{flag}" if f"--{flag}" in taken else f"--{flag}"
        # The default is None, so that it is seen whether the command line names an option.
        group.addoption(flag, dest=PREFIX + name, default=None, **properties)


def release(parser: pytest.Parser) -> None:
    """Give the options' names free, once the command line is read.

    The conftest.py of a subfolder is read during collection. pytest ignores the options that it
    adds, unless their names are taken: then it fails.
    """
    for option in _group(parser).options:
        for flag in option.names():
            parser.optparser._option_string_actions.pop(flag, None)


def flags(parser: pytest.Parser) -> dict[str, str]:
    """The names that the options have on this command line, by field of `Options`."""
    return {
        option.dest.removeprefix(PREFIX): option.names()[0] for option in _group(parser).options
    }


def surroundings(words: Sequence[str]) -> Iterator[str]:
    """Pytest's own options among these words without which it would not find the same tests, or
    not fail on the same verdicts.
    """
    rest = iter(words)
    for word in rest:
        long = word.startswith("--")
        name = word.partition("=")[0] if long else word[:2]
        if name in _SURROUNDINGS:
            whole = "=" in word if long else len(word) > 2
            told = (word,) if whole or name in _FLAGS else (word, next(rest, ""))
            if name != "-p" or not "".join(told).startswith("-pno:"):
                yield from told


def _group(parser: pytest.Parser) -> pytest.OptionGroup:
    return parser.getgroup(
        GROUP,
        "ddiv: claims of papers, checked by training models (a contradicted claim fails; where "
        "claims/ledger.toml has entries of the profile, a verdict that it does not know fails only "
        "if it is sure among all questions of the run, and is else told as unexpected; with "
        "pytest's own --strict, every claim that is not supported fails)",
    )


def _names(parser: pytest.Parser) -> Iterator[str]:
    """The names of all options so far. pytest has no public list of them."""
    for group in (parser._anonymous, *parser._groups):
        for option in group.options:
            yield from option.names()


def read(namespace: Namespace) -> Options:
    """Our values among those of all plugins."""
    return Options(**_given(namespace))


def given(namespace: Namespace) -> bool:
    """Whether the command line names an option of ddiv's."""
    return bool(_given(namespace))


def _given(namespace: Namespace) -> dict[str, Any]:
    values = {
        field.name: getattr(namespace, PREFIX + field.name, None) for field in fields(Options)
    }
    return {name: value for name, value in values.items() if value is not None}
