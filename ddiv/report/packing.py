"""Parts of a page that are opened on demand: compressed blocks inside the page itself.

A block is a JSON object, deflated (zlib) and written in printable ASCII, in a script element that
no browser executes. The page's script inflates it when something of it is looked at, so that a page
of thousands of findings opens at once, from a disk and without a network. Text from outside is
escaped by the templates before it comes here, as everywhere on the page.

The HTML of a part is cut into its markup, which many parts share, and the texts in it: see `split`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec
import numpy as np
from markupsafe import Markup

# 91 characters that neither end a script element nor open a comment in it; page.js has them too.
LETTERS = bytes(code for code in range(33, 127) if chr(code) not in '"&<')

BITS = 13  # of two letters: 2 ** 13 < 91 ** 2

LAST = 6  # bits that a single last letter holds

# What differs among alike parts: texts between two tags, and the values of these attributes.
OWN = (
    *(' title="', ' id="', ' d="', ' href="', ' aria-label="', ' data-plot="', ' data-trials="'),
    *(' data-of="', ' data-study="', ' class="v ', ' class="n ', '<g class="'),
)
TEXT = re.compile(
    "("
    + "|".join(
        [r"(?<=[>\s])[^<>\s](?:[^<>]*[^<>\s])?(?=\s*<)", *(f'(?<={own})[^"]*' for own in OWN)]
    )
    + ")"
)

FEW = 3  # alike parts from which a text that they all have is part of their markup

LONG = 12  # characters from which a text that recurs is kept once


class Packed:
    """The blocks of one page, filled while its template is rendered."""

    def __init__(self, **blocks: Any) -> None:
        self._blocks: dict[str, Any] = blocks
        self._parts: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)

    def put(self, block: str, place: str, *html: str) -> str:
        """Keep what belongs into a place of the page, by its id; nothing is shown here."""
        self._parts[block][place] = tuple(map(str, html))
        return ""

    def blocks(self) -> Markup:
        """All blocks as script elements."""
        values = self._blocks | {name: split(parts) for name, parts in self._parts.items()}
        return Markup("\n").join(
            Markup('<script type="text/plain" id="packed-{}">{}</script>').format(
                name, Markup(pack(value))
            )
            for name, value in values.items()
        )


def split(parts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Parts of HTML, one or more a place, as a block; alike ones are best near each other.

    markup: lists of markup, between whose pieces the texts stand; texts: those that recur;
    places: of each part, "" for that of the part before; parts: each the number of its markup,
    then its texts or their numbers among the texts.
    """
    places = [name for place, html in parts.items() for name in (place, *[""] * (len(html) - 1))]
    cut = [TEXT.split(one) for html in parts.values() for one in html]
    alike: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for pieces in cut:
        alike[tuple(pieces[::2])].append(pieces)
    markup, numbers, own = [], {}, {}
    for number, (around, members) in enumerate(alike.items()):
        numbers[around] = number
        own[around] = [len(members) < FEW or len(set(column)) > 1 for column in zip(*members)][1::2]
        markup.append(_around(members[0], own[around]))
    rows = [
        (numbers[around], [*compress(pieces[1::2], own[around])])
        for pieces in cut
        if (around := tuple(pieces[::2]))
    ]
    often = Counter(text for _, texts in rows for text in texts)
    kept: dict[str, int] = {}

    def short(text: str) -> str | int:
        if len(text) < LONG or often[text] == 1:
            return text
        return kept.setdefault(text, len(kept))

    written = [[number, *map(short, texts)] for number, texts in rows]
    return {"markup": markup, "texts": list(kept), "places": places, "parts": written}


def _around(pieces: Sequence[str], own: Sequence[bool]) -> list[str]:
    """The markup of a part, with those of its texts that are not its own."""
    markup = [pieces[0]]
    for text, after, apart in zip(pieces[1::2], pieces[2::2], own):
        if apart:
            markup.append(after)
        else:
            markup[-1] += text + after
    return markup


def joined(block: Mapping[str, Any]) -> dict[str, list[str]]:
    """The parts of `split`."""
    html: dict[str, list[str]] = {}
    last = ""
    for place, (alike, *texts) in zip(block["places"], block["parts"]):
        first, *after = block["markup"][alike]
        shown = (block["texts"][text] if isinstance(text, int) else text for text in texts)
        whole = first + "".join(f"{text}{more}" for text, more in zip(shown, after))
        last = place or last
        html.setdefault(last, []).append(whole)
    return html


def pack(value: Any) -> str:
    """A value as deflated JSON in `LETTERS`; Structs become objects."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    # As ASCII: what is no Unicode text, such as half of a surrogate pair, passes too.
    written = json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return as_letters(zlib.compress(written.encode("ascii"), 9))


def unpack(text: str) -> Any:
    """The value of `pack`."""
    return json.loads(zlib.decompress(as_bytes(text)))


def as_letters(data: bytes) -> str:
    """Bytes in `LETTERS`, two for each 13 bits: 16 bytes become 20, where base64 makes 24."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    left = len(bits) % BITS
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS).astype(int)
    numbers = groups @ (1 << np.arange(BITS)[::-1])
    pairs = np.stack(np.divmod(numbers, len(LETTERS)), axis=1).ravel()
    if 0 < left <= LAST:
        pairs = np.append(pairs[:-2], numbers[-1] >> (BITS - LAST))
    return bytes(LETTERS[k] for k in pairs).decode("ascii")


def as_bytes(text: str) -> bytes:
    """The bytes of `as_letters`."""
    place = np.zeros(128, int)
    place[np.frombuffer(LETTERS, np.uint8)] = np.arange(len(LETTERS))
    found = place[np.frombuffer(text.encode("ascii"), np.uint8)]
    even = len(found) // 2 * 2
    numbers = found[:even:2] * len(LETTERS) + found[1:even:2]
    bits = _bits(numbers, BITS)
    if len(found) > even:
        bits = np.append(bits, _bits(found[-1:], LAST))
    return np.packbits(bits[: len(bits) // 8 * 8]).tobytes()


def _bits(numbers: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The lowest bits of numbers, the highest of them first, one after the other."""
    return (numbers[:, None] >> np.arange(count)[::-1] & 1).astype(np.uint8).ravel()
