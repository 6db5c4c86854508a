"""The commands and snippets of the documentation, and which of them are run.

    python -m tests.support.documented      lists what is only parsed, and why

In a page, a Python or TOML block with a `title` is a file of that name in the page's folder. Other
Python blocks are scripts, and `sh` blocks are commands, in their order. A comment before a block,
`<!-- not run: REASON -->`, says that it is only parsed. Other languages (`text`) are not commands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?"
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
# A command within a sentence or a table.
INLINE = re.compile(r"`((?:pytest|ddiv|python|pip|zensical|\.ci/\w+) [^`\n]+)`")


class Block(NamedTuple):
    """A fenced block; `line` is that of its fence, `reason` why it is not run ("" if it is)."""

    page: str
    line: int
    language: str
    title: str
    text: str
    reason: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """All pages, the README first."""
    others = [ROOT / "CONTRIBUTING.md", ROOT / "examples/README.md", ROOT / "benchmarks/README.md"]
    site = sorted(page for page in (ROOT / "docs").rglob("*.md") if "_inbox" not in page.parts)
    return [ROOT / "README.md", *others, *site]


def name_of(page: Path) -> str:
    """A page's path from the project's folder."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in their order."""
    text = page.read_text("utf-8")
    for found in FENCE.finditer(text):
        yield Block(
            name_of(page),
            text.count("\n", 0, found.start("language")) + 1,
            found["language"],
            found["title"] or "",
            found["text"],
            found["reason"] or "",
        )


def commands(text: str) -> Iterator[list[str]]:
    """The commands of shell text as words, without comments."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r" && (?=[^\s])", line):
            if words := shlex.split(part, comments=True):
                yield words


def inline(page: Path) -> Iterator[list[str]]:
    """The commands in a page's sentences and tables as words."""
    prose = FENCE.sub("", page.read_text("utf-8"))
    for found in INLINE.finditer(prose):
        yield shlex.split(found[1])


def files(page: Path) -> dict[str, str]:
    """The files that a page shows, by name."""
    return {block.title: block.text for block in blocks(page) if block.title}


def main() -> None:
    for page in pages():
        for block in blocks(page):
            if block.reason:
                print(f"{block.place}  not run: {block.reason}")
                print("".join(f"    {line}\n" for line in block.text.splitlines()), end="")


if __name__ == "__main__":
    main()
