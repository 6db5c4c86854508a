"""Mutations of bytes, of JSON, of zip archives, of text."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1)
MARKS = (b"\0", b"\xff", b"\n", b'"', b"\\", b"{", b"[", b"\xef\xbb\xbf", b"\x1b[2J", b"%s" * 9)


def octets(rng: random.Random, content: bytes) -> bytes:
    """Bytes with one to four random faults."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = _once(rng, content)
    return content


def _once(rng: random.Random, content: bytes) -> bytes:
    # Headers come first and tables last: half of the faults are there.
    size = len(content)
    place = min(
        size,
        rng.choice(
            (rng.randrange(size + 1), rng.randrange(64), size - rng.randrange(min(size, 99) + 1))
        ),
    )
    length = rng.choice((1, 2, 4, 8, 64, 1024))
    before, after = content[:place], content[place + length :]
    match rng.randrange(12):
        case 0 | 1 | 2 if place < size:
            return (
                content[:place]
                + bytes([content[place] ^ 1 << rng.randrange(8)])
                + content[place + 1 :]
            )
        case 3 | 4:
            width = rng.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
            number = rng.choice(INTEGERS) % 256 ** struct.calcsize(width)
            return before + struct.pack(width, number) + content[place + struct.calcsize(width) :]
        case 5:
            return content[:place]
        case 6:
            return before + after
        case 7:
            return content[:place] + content[place : place + length] * 2 + after
        case 8:
            return before + rng.randbytes(length) + after
        case 9:
            return content[:place] + rng.choice(MARKS) + content[place:]
        case 10:
            return rng.choice(
                (b"", b"\0" * size, content + content, content[::-1], rng.randbytes(size))
            )
    return before + b"\0" * length + after


def _deep(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


VALUES: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: -1, lambda: 0, lambda: 2**31, lambda: 2**63,
    lambda: -(2**63) - 1,
    lambda: 10**400, lambda: 1e308, lambda: float("nan"), lambda: float("-inf"), lambda: 0.5,
    lambda: "", lambda: "x" * 3000, lambda: "\ud800", lambda: "../../etc/passwd",
    lambda: "\x1b]0;a\x07",
    lambda: "$(touch a)", list, dict, lambda: [[]], lambda: {"a": {"b": [1, None]}},
    lambda: _deep(50), lambda: _deep(900), lambda: list(range(2000)), lambda: [0, -1],
    lambda: "\0", lambda: "nan",
)  # fmt: skip


def tree(rng: random.Random, value: Any) -> Any:
    """A value of dicts and lists with one to three of its nodes changed."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = _node(rng, value)
    return value


def _node(rng: random.Random, value: Any) -> Any:
    places = list(_places(value, ()))
    if not places or rng.random() < 0.03:
        return rng.choice(VALUES)()
    *way, last = rng.choice(places)
    holder = value
    for step in way:
        holder = holder[step]
    match rng.randrange(8):
        case 0:
            del holder[last]
        case 1 if isinstance(holder, dict):
            holder[rng.choice(("", "x", "__metadata__", "a" * 300, "é", "\ud800"))] = holder.pop(
                last
            )
        case 2:
            other = value
            for step in rng.choice(places):
                other = other[step]
            holder[last] = json.loads(json.dumps(other))
        case 3 if isinstance(holder[last], (int, float)) and not isinstance(holder[last], bool):
            holder[last] = rng.choice(
                (
                    -holder[last],
                    holder[last] + 1,
                    holder[last] * 1000,
                    str(holder[last]),
                    float(holder[last]),
                )
            )
        case _:
            holder[last] = rng.choice(VALUES)()
    return value


def _places(value: Any, way: tuple[Any, ...]):
    if len(way) > 60:
        return
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for step, inner in items:
        yield (*way, step)
        yield from _places(inner, (*way, step))


def jsons(rng: random.Random, content: bytes) -> bytes:
    """A JSON text with changed nodes, or with changed bytes where it is none."""
    if rng.random() < 0.25:
        return octets(rng, content)
    try:
        value = tree(rng, json.loads(content))
        text = json.dumps(value, ensure_ascii=rng.random() < 0.8)
    except (ValueError, TypeError, RecursionError):
        return octets(rng, content)
    if rng.random() < 0.05 and text.startswith("{"):  # a key twice
        text = "{" + text[1:-1] + ", " + text[1:]
    if rng.random() < 0.03:
        text = "[" * 100_000
    return text.encode(rng.choice(("utf-8",) * 8 + ("utf-16", "utf-8-sig")), "surrogatepass")


def archive(
    rng: random.Random, content: bytes, inner: Callable[[random.Random, str, bytes], bytes]
) -> bytes:
    """A zip archive with changed members; `inner` changes the content of one."""
    if rng.random() < 0.3:
        return octets(rng, content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as old:
            members = [(info.filename, old.read(info)) for info in old.infolist()]
    except Exception:
        return octets(rng, content)
    place = rng.randrange(len(members))
    name, text = members[place]
    kind = rng.randrange(10)
    compression = zipfile.ZIP_DEFLATED if rng.random() < 0.3 else zipfile.ZIP_STORED
    match kind:
        case 0:
            del members[place]
        case 1:
            members.append((name, inner(rng, name, text)))
        case 2:
            members[place] = (
                rng.choice(
                    (
                        "../" + name,
                        "/" + name,
                        name + "/",
                        "",
                        "a\0b",
                        "é\\..\\" + name,
                        name.upper(),
                    )
                ),
                text,
            )
        case 3:  # some hundred megabytes in some hundred kilobytes
            members[place], compression = (
                (name, text[:64] + b"\0" * rng.choice((10**8, 3 * 10**8))),
                zipfile.ZIP_DEFLATED,
            )
        case 4:
            folder = name.split("/")[0]
            members.append(
                (
                    rng.choice(
                        (
                            f"{folder}/constants.pkl",
                            "x/y/constants.pkl",
                            f"{folder}/version",
                            f"{folder}/code/a.py",
                        )
                    ),
                    rng.choice((b"", b"\x80\x02}.", text)),
                )
            )
        case _:
            members[place] = (name, inner(rng, name, text))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(buffer, "w", compression, compresslevel=1) as new:
            for each, data in members:
                new.writestr(each, data)
    made = buffer.getvalue()
    return octets(rng, made) if rng.random() < 0.1 else made


TOKENS = (
    "nan", "-inf", "1e400", "-1", "0", "9223372036854775808", "true", '""', "[]", "{}", "[[]]",
    "1979-05-27",
    '"\\u0000"', '"\\u001b[2J"', '"../../x"', '"a\\nb"', "'''", "0x", "1_000_000_000",
    '["a", "a"]', '{type = "x"}',
    '"' + "x" * 5000 + '"', "[" * 3000, '"\\U0010FFFF"', "0.5",
)  # fmt: skip


def toml(rng: random.Random, content: bytes) -> bytes:
    """A TOML text with changed values, keys and lines, and in other encodings."""
    text = content.decode("utf-8", "replace")
    for _ in range(rng.choice((1, 1, 2, 3))):
        lines = text.split("\n")
        place = rng.randrange(len(lines))
        match rng.randrange(10):
            case 0:
                del lines[place]
            case 1:
                lines.insert(place, lines[rng.randrange(len(lines))])
            case 2:
                lines[place] = re.sub(
                    r"[a-z_]+ =",
                    rng.choice(("x =", '"" =', '"a b" =', "name =", "type =")),
                    lines[place],
                    count=1,
                )
            case 3:
                return octets(rng, text.encode())
            case _:
                values = list(
                    re.finditer(r"(?<== )[^,}\]]+|(?<=[\[ ])[\d.\-e]+(?=[,\]])", lines[place])
                )
                if values:
                    one = rng.choice(values)
                    lines[place] = (
                        lines[place][: one.start()] + rng.choice(TOKENS) + lines[place][one.end() :]
                    )
        text = "\n".join(lines)
    return text.encode(rng.choice(("utf-8",) * 9 + ("utf-16", "latin-1", "utf-8-sig")), "replace")
