"""Images on disk whose pixels say where they came from, for the tests of data."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import EpsImagePlugin, Image

SIZE = (9, 7)

# Pillow alone starts Ghostscript for it, whatever the file's name is.
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 9 7
%%EndComments
showpage
"""


def ghostscript(folder: Path, monkeypatch) -> Path:
    """A program stands for Ghostscript and leaves this mark, as Pillow alone shows."""
    mark, eps = folder / "ran", folder / "probe.png"
    (folder / "gs").write_text(f"#!/bin/sh\ntouch {mark}\n")
    (folder / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    eps.write_bytes(EPS)
    with suppress(OSError), Image.open(eps) as image:
        image.load()
    assert mark.exists()
    mark.unlink()
    return mark


def fresh_root(folder: Path, monkeypatch) -> Path:
    """An empty data root and an empty cache of decoded images below a folder."""
    root = folder / "data"
    root.mkdir()
    monkeypatch.setenv("DDIV_DATA", str(root))
    monkeypatch.setenv("DDIV_CACHE", str(folder / "decoded"))
    return root


def flat(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> Path:
    """An image of one colour, which no resizing changes; lossless where the format is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def colours(images: np.ndarray) -> list[tuple[int, int, int]]:
    """The colours of flat images uint8 (n, 3, h, w); fails where one isn't flat."""
    assert images.dtype == np.uint8 and images.ndim == 4
    middle = images[:, :, :1, :1]
    assert (images == middle).all()
    return [tuple(map(int, one)) for one in middle[:, :, 0, 0]]


def noise(seed: int, height: int, width: int) -> np.ndarray:
    """An image uint8 (height, width, 3) of blocks of random colours."""
    blocks = np.random.default_rng(seed).integers(
        0, 256, (-(-height // 4), -(-width // 4), 3), dtype=np.uint8
    )
    return blocks.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
