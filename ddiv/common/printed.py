"""Text for a terminal, a shell and a spreadsheet.

Names, reasons and error texts come from files, data and libraries, so they may hold what a terminal
obeys, a shell runs or a spreadsheet computes.
"""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

# They join letters of Persian, of Indic scripts and of emoji; all other format characters are
# invisible or turn the order of what follows round.
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

_BREAKS = re.compile(r"\r\n|[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")

# Names of what nobody else is to read.
_SECRET = re.compile(r"api.?key|(?:^|[-_])key|token|secret|passw|credential", re.IGNORECASE)

# A spreadsheet takes a cell that begins so for a formula, some also in full width.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def is_shown(character: str) -> bool:
    """Whether a terminal shows a character and does not obey it."""
    return (
        character.isprintable() or unicodedata.category(character) == "Zs" or character in _JOINERS
    )


def one_line(text: object) -> str:
    """Text as one line that a terminal only shows.

    Line breaks and tabs become spaces; other control characters, marks that turn the direction of
    writing, and halves of surrogates become U+FFFD.
    """
    return _shown(_BREAKS.sub(" ", str(text)))


def first_line(error: BaseException) -> str:
    """The first line of what an error says, as `one_line`; of one that says nothing its kind."""
    told = str(error).strip() or type(error).__name__
    return one_line(told.splitlines()[0])


def printable(text: object) -> str:
    """`one_line` of each line; a line ends at a newline alone."""
    return "\n".join(map(one_line, str(text).split("\n")))


def _shown(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if is_shown(c) else "\N{REPLACEMENT CHARACTER}" for c in text)


def command(*words: str | os.PathLike[str]) -> str:
    """A line for a shell that runs exactly these words, whatever they hold, and is safe to print.

    Words with control characters are written as $'...', which bash and zsh know.
    """
    return " ".join(_word(os.fspath(word)) for word in words)


def without_secrets(words: Iterable[str]) -> list[str]:
    """The words of a command line to be kept and shown: what is named like a secret is "***", and
    so is a password in an address.
    """
    shown: list[str] = []
    for word in words:
        last = shown[-1] if shown else ""
        if last.startswith("-") and "=" not in last and _SECRET.search(last):
            shown.append("***" if not word.startswith("-") else word)
            continue
        name, sign, value = word.partition("=")
        if sign and value and _SECRET.search(name):
            word = f"{name}=***"
        shown.append(re.sub(r"(?<=://)[^/@\s]+@", "***@", word))
    return shown


def operand(path: str) -> str:
    """A path that a program takes for nothing else: one that begins like an option, or as a file of
    arguments does (@), is written with its folder.
    """
    return f"./{path}" if path.startswith(("-", "@")) else path


def _word(word: str) -> str:
    if all(map(is_shown, word)):
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if is_shown(character):
        return f"\\{character}" if character in "\\'" else character
    if "\udc80" <= character <= "\udcff":  # Python's sign for a byte of a path that is no UTF-8
        content = bytes([ord(character) - 0xDC00])
    else:
        content = character.encode("utf-8", "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in content)


def removal(folder: Path) -> str:
    """The command that deletes one folder, from wherever it is typed."""
    return command("rm", "-r", folder.absolute())


def cell(value: object) -> object:
    """A value for a CSV file: text that a spreadsheet would compute gets an apostrophe before it.

    Numbers stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
