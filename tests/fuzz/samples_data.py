"""Data: pictures of every format, arrays, tables, archives."""

from __future__ import annotations

import csv
import io
import random
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image

from tests.fuzz import mutate
from tests.fuzz.inputs import Fifo, Files, Link, Payload

FORMATS = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"),
    "JPEG": ("L", "RGB", "CMYK"),
    "GIF": ("L", "P"),
    "BMP": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16", "F"),
    "ICO": ("RGBA",),
    "TGA": ("L", "RGB"),
    "EPS": ("RGB",),
    "PDF": ("RGB",),
    "PCX": ("L", "RGB"),
}
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".webp",
    ".ppm",
    ".pgm",
    ".PNG",
    ".ico",
    "",
    ".eps",
)
EXIF = (b"", b"Exif\0\0", b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x63\0\0\0\0\0\0",
        b"II*\0\x08\0\0\0\1\0\x12\1\2\0\xff\xff\xff\x7f\0\0\0\0",
        b"Exif\0\0MM\0*\0\0\0\0")  # fmt: skip
# Where Ghostscript is asked to run something.
POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    b"(%pipe%touch x) (w) file\nshowpage\n"
)


def picture(rng: random.Random) -> bytes:
    """A picture, valid or mutated."""
    if rng.random() < 0.03:
        return POSTSCRIPT
    kind = rng.choice(sorted(FORMATS))
    pixels = np.random.default_rng(rng.randrange(99)).integers(0, 256, (9, 11, 3), np.uint8)
    image = Image.fromarray(pixels)
    mode = rng.choice(FORMATS[kind])
    image = (
        image.convert("L").convert("I").convert(mode)
        if mode.startswith("I")
        else image.convert(mode)
    )
    more: dict[str, object] = {}
    if kind in ("PNG", "JPEG", "WEBP", "TIFF") and rng.random() < 0.4:
        more["exif"] = rng.choice(EXIF)
    if kind == "PNG" and rng.random() < 0.2:
        more["icc_profile"] = rng.randbytes(60)
    if (
        kind in ("GIF", "WEBP", "TIFF", "PNG")
        and mode in ("P", "RGB", "RGBA", "L")
        and rng.random() < 0.2
    ):
        more |= {"save_all": True, "append_images": [image, image]}
    buffer = io.BytesIO()
    try:
        image.save(buffer, kind, **more)
    except Exception:
        image.convert("RGB").save(buffer, "PNG")
    made = buffer.getvalue()
    if made.startswith(b"\x89PNG") and rng.random() < 0.3:
        made = _chunk(rng, made)
    return made if rng.random() < 0.3 else mutate.octets(rng, made)


def _chunk(rng: random.Random, png: bytes) -> bytes:
    """A PNG with one chunk more, or with another size in its head, and right checksums."""
    if rng.random() < 0.4:
        width, height = rng.choice(
            ((0, 9), (60_000, 60_000), (2**31 - 1, 1), (1, 200_000), (9000, 9000), (-1 % 2**32, 9))
        )
        head = struct.pack(">II", width, height) + png[24:29]
        return png[:16] + head + struct.pack(">I", zlib.crc32(b"IHDR" + head)) + png[33:]
    name = rng.choice(
        (b"eXIf", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"tRNS", b"PLTE", b"acTL", b"fcTL", b"gAMA")
    )
    text = rng.choice(
        (
            *EXIF,
            b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n   9\nzz"),
            b"a\0\0" + zlib.compress(b"0" * 10**7),
            rng.randbytes(20),
        )
    )
    chunk = struct.pack(">I", len(text)) + name + text + struct.pack(">I", zlib.crc32(name + text))
    return png[:33] + chunk + png[33:]


def folder(rng: random.Random) -> Files:
    """A folder of pictures in two classes."""
    files: Files = {}
    base = rng.choice(("pics", "pics", "pics/train", "pics/photo"))
    for number in range(6):
        name = f"{base}/{'ab'[number % 2]}/{number}"
        files[name + ".png"] = good()
    for _ in range(rng.choice((1, 1, 2, 4))):
        name = f"{base}/{rng.choice('abc')}/{rng.randrange(9)}{rng.choice(SUFFIXES)}"
        files[name] = picture(rng)
        if rng.random() < 0.04:
            files[name] = rng.choice(
                (
                    Fifo(),
                    Link("nothing"),
                    Link("."),
                    Link("../.."),
                    Link("/dev/zero"),
                    Link("/dev/null"),
                    b"",
                )
            )
    if rng.random() < 0.05:
        files[f"pics/{rng.choice(('test', 'a/b/c/d', 'e', '.x', '__MACOSX', 'é' * 40))}/9.png"] = (
            good()
        )
    return files


def good() -> bytes:
    """A small valid PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 9), (200, 30, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def arrays(rng: random.Random) -> Files:
    """A file of numpy arrays."""
    draw = np.random.default_rng(rng.randrange(99))
    held: dict[str, object] = {
        "x_train": draw.integers(0, 256, (8, 6, 6, 3), np.uint8), "y_train": np.arange(8) % 2,
        "x_test": draw.integers(0, 256, (4, 6, 6, 3), np.uint8), "y_test": np.arange(4) % 2,
    }  # fmt: skip
    if rng.random() < 0.3:
        held["classes"] = np.array(["jay", "robin"])
    for _ in range(rng.randrange(3)):
        name = rng.choice(sorted(held))
        array = np.asarray(held[name])
        held[name] = rng.choice(
            (
                lambda a: a.astype(object),
                lambda a: np.array([Payload(rng.randrange(4))] * 2, dtype=object),
                lambda a: a.astype(float),
                lambda a: a.astype("i8") - 1, lambda a: a.astype("i8") * 10**15, lambda a: a[:0],
                lambda a: a[None],
                lambda a: a.astype("M8[s]"), lambda a: a.astype("S8"), lambda a: a.astype("U8"),
                lambda a: a.ravel(),
                lambda a: a.astype(complex), lambda a: np.array(3), lambda a: a > 0,
                lambda a: a.astype("f2") / 0.0,
                lambda a: a[..., 0], lambda a: a.astype("u8") + 2**63,
                lambda a: np.zeros(3, [("a", "i4"), ("b", "O")]),
                lambda a: a.astype(">i4"), lambda a: a.T,
                lambda a: np.zeros((3, 1, 0, 3), np.uint8),
            )
        )(array)  # fmt: skip
    buffer = io.BytesIO()
    with np.errstate(all="ignore"):
        (np.savez_compressed if rng.random() < 0.3 else np.savez)(buffer, **held)
    made = buffer.getvalue()
    return {"a.npz": made if rng.random() < 0.4 else mutate.archive(rng, made, _npy)}


def _npy(rng: random.Random, name: str, text: bytes) -> bytes:
    """An array's file, mostly with another header."""
    if rng.random() < 0.3 or len(text) < 12:
        return mutate.octets(rng, text)
    start = 10 + struct.unpack("<H", text[8:10])[0]
    descr = rng.choice(
        (
            "'|u1'",
            "'<f8'",
            "'|O'",
            "'<U99999999'",
            "[('a', '<f8')]",
            "'|V8'",
            "'<i8'",
            "None",
            "'<M8[Y]'",
            "(" * 200,
        )
    )
    shape = rng.choice(
        (
            "(8, 6, 6, 3)",
            "(9999999, 9999999)",
            "(-1,)",
            "()",
            "(2, 2)",
            "(0,)",
            "(1 << 62,)",
            "('a',)",
            "(True,)",
            "(8,)",
            "(2**70,)",
        )
    )
    order = rng.choice(("False", "True", "3"))
    head = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    head += b" " * (-(11 + len(head)) % 64) + b"\n"
    version = rng.choice((1, 1, 2, 3, 9))
    size = struct.pack("<H" if version == 1 else "<I", len(head) if rng.random() < 0.9 else 60_000)
    return text[:6] + bytes([version, 0]) + size + head + text[start:]


def table(rng: random.Random) -> Files:
    """A CSV file of complaints."""
    head = ["product", "narrative"]
    rows = [
        [("cards", "loans")[i % 2], f"they charged me {i} dollars for letter {i}"]
        for i in range(40)
    ]
    for _ in range(rng.randrange(4)):
        row = rng.choice(rows)
        row[rng.randrange(len(row))] = rng.choice(
            (
                "",
                "\0",
                '"',
                "a,b",
                "line\nbreak",
                "=cmd()",
                "x" * 200_000,
                "{$1,000.00}" * 500,
                "XXXX " * 900,
                "\ud800",
                "\x1b[2J",
                "{" * 3000,
            )
        )
    if rng.random() < 0.2:
        rng.choice(rows).append("more")
    if rng.random() < 0.2:
        head = rng.choice(
            (
                [],
                ["product"],
                ["Product", "Narrative"],
                ["narrative"] * 2,
                ["product", "narrative", "product"],
                ["x" * 9999, "y"],
            )
        )
    text = io.StringIO(newline="")
    csv.writer(
        text, delimiter=rng.choice(",,,,,;\t"), lineterminator=rng.choice(("\n", "\r\n", "\r"))
    ).writerows([head, *rows])
    made = text.getvalue().encode(
        rng.choice(("utf-8",) * 5 + ("utf-8-sig", "utf-16", "latin-1")), "replace"
    )
    return {"complaints.csv": made if rng.random() < 0.5 else mutate.octets(rng, made)}


def domainnet(rng: random.Random) -> Files:
    """DomainNet's lists and archives."""
    files: Files = {}
    for domain in ("real", "sketch"):
        names = [f"{domain}/{'ab'[i % 2]}/{i}.png" for i in range(8)]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, picture(rng) if rng.random() < 0.1 else good())
        made = buffer.getvalue()
        if rng.random() < 0.5:
            made = mutate.archive(rng, made, lambda rng, name, text: picture(rng))
        files[f"domainnet/{domain}.zip"] = made
        for part in ("train", "test"):
            lines = "".join(f"{name} {i % 2}\n" for i, name in enumerate(names)).encode()
            if rng.random() < 0.15:
                lines = mutate.octets(rng, lines)
            files[f"domainnet/{domain}_{part}.txt"] = lines
    return files


def cached_picture(rng: random.Random) -> Files:
    """A generated image in its cache."""
    if rng.random() < 0.1:
        return {
            "x.png": rng.choice(
                (b"flagged by the safety checker\n", b"flagged", b"", Link("x.png"))
            )
        }
    return {"x.png": picture(rng)}
