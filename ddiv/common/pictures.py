"""Pictures from outside: opened as one of the common formats only, and turned into 8 bits RGB.

Pillow chooses a decoder by a file's content, whatever its name is, and some of its decoders start
other programs (Ghostscript for EPS). So every picture is opened here.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

_ORIENTATION = 0x0112  # EXIF's tag

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_BITS_PER_SAMPLE = 258  # TIFF's tag


def opened(source: Path | bytes) -> Image.Image:
    """The picture in a file, or in its bytes; of an animation, the first frame is decoded later.

    Raises ValueError on another format, on a PNG file whose checksums do not fit (Pillow would
    decode it to other pixels), and on more pixels than PIL.Image.MAX_IMAGE_PIXELS, which a small
    file can hold; OSError and, where the file is damaged, what Pillow raises.
    """
    image = _opened(source)
    if image.format == "PNG":
        with image:
            image.verify()  # after this nothing else can be done with it
        image = _opened(source)
    return image


def _opened(source: Path | bytes) -> Image.Image:
    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ValueError(f"it is no picture of the formats {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(_too_large("it has")) from error
    if image.width * image.height > _most_pixels():
        image.close()
        raise ValueError(_too_large(f"it has {image.width} x {image.height} pixels,"))
    return image


def _most_pixels() -> float:
    most = Image.MAX_IMAGE_PIXELS  # None: without limit
    return math.inf if most is None else most


def _too_large(cause: str) -> str:
    return (
        f"{cause} more pixels than the {_most_pixels():,.0f} that are decoded: make it smaller, or "
        "raise PIL.Image.MAX_IMAGE_PIXELS if you trust it"
    )


def is_picture(path: Path) -> bool:
    """Whether a file, whatever its name is, begins as a picture of one of the formats does."""
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return True
    except Exception:  # decoders raise all sorts of errors
        return False


@contextmanager
def strictly() -> Iterator[None]:
    """Meanwhile a picture that was cut short is an error.

    Some libraries let Pillow fill the missing part with grey, for the whole process.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def upright(image: Image.Image) -> Image.Image:
    """A picture in RGB (`in_rgb`), turned as its camera says; damaged EXIF data say nothing."""
    image.load()  # some formats have the EXIF data behind the pixels
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # Pillow raises all sorts of errors on damaged EXIF data
        turn = None
    rgb = in_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def in_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode in RGB, 8 bits a channel, on white; of deeper greys the high bits.

    Raises ValueError where it cannot be known which value is white: on floating-point and 32-bit
    pixels, which Pillow would cut off at 255.
    """
    if image.mode == "F":
        raise ValueError("floating-point pixels have no range: save it with 8 bits a channel")
    if image.mode.startswith("I"):
        image = _of_high_bits(image)
    if image.has_transparency_data:
        # The colours under transparent pixels are arbitrary, often black.
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _of_high_bits(image: Image.Image) -> Image.Image:
    # Pillow reads 16-bit PGM files, and in some versions PNG files, into 32-bit pixels.
    if image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise ValueError(
            "32-bit pixels have no range: save it with 8 or 16 bits a channel, "
            "image.astype(numpy.uint8) if its values are 0 to 255"
        )
    bits = 16
    if image.format == "TIFF" and 12 in np.atleast_1d(
        getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 16)
    ):
        bits = 12
    values = np.asarray(image).astype(np.int64)
    key = image.info.get("transparency")  # the grey that is see-through
    if 0 < values[values != key].max(initial=0) < 2 ** (bits - 8):
        raise ValueError(
            f"its {bits}-bit pixels go up to {values.max()} only, which is black: save it with 8 "
            "bits a channel if its values are 0 to 255"
        )
    high = (values >> (bits - 8)).clip(0, 255).astype(np.uint8)
    if isinstance(key, int):
        high[values == key] = 255
    return Image.fromarray(high)
