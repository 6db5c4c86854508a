"""Images of a slow generator, on disk, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from ddiv.common.drafts import sweep
from ddiv.common.files import contents, write_atomically
from ddiv.common.paths import cache_folder
from ddiv.common.pictures import opened

FLAGGED = b"flagged by the safety checker\n"


def default_folder() -> Path:
    """$DDIV_IMAGES, or ddiv/images in the user's cache folder."""
    return cache_folder("DDIV_IMAGES", "images")


@dataclass(frozen=True)
class ImageCache:
    """PNG files, each named by the SHA-256 of the values that its image was drawn from.

    A file is written whole or not at all.
    """

    folder: Path

    def path(self, *drawn_from: object) -> Path:
        """The file of an image drawn from these values, which must be JSON-able."""
        digest = hashlib.sha256(msgspec.json.encode(drawn_from)).hexdigest()
        return self.folder / digest[:2] / f"{digest}.png"

    def get(self, path: Path) -> np.ndarray | bytes | None:
        """The image uint8 (h, w, 3), FLAGGED, or None where there is none that can be read.

        The checksums in a PNG file tell whether it is as it was written: torn ones may decode, to
        other pixels.
        """
        try:
            content = contents(path)
            if content == FLAGGED:
                return FLAGGED
            image = opened(content)
            return np.asarray(image.convert("RGB")) if image.format == "PNG" else None
        except Exception:  # decoders raise all sorts of errors on damaged files
            # Drawing the image again gives the same one.
            return None

    def tidy(self) -> None:
        """Delete what killed processes left half-written."""
        sweep(*self.folder.glob("*/"))

    def put(self, path: Path, image: np.ndarray | bytes) -> None:
        """Keep an image uint8 (h, w, 3), or FLAGGED.

        Raises OSError where the folder cannot be written.
        """
        if not isinstance(image, bytes):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            image = buffer.getvalue()
        write_atomically(path, image)
