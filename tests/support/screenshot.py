"""Take the README's picture: the first screen of a report, as a small file.

    python -m tests.support.screenshot reports/embedded.html

Needs Chromium. Writes docs/images/report.png, in as many colours as 150 kB hold.
"""

import argparse
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.support.browser import open_in_browser
from tests.support.paths import ROOT

MOST_BYTES, WIDTH, HEIGHT = 150_000, 1200, 800


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images/report.png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        open_in_browser(options.page, width=WIDTH, height=HEIGHT, screenshot=shot)
        picture = Image.open(shot).convert("RGB")
    options.out.write_bytes(small(picture))


def small(picture: Image.Image) -> bytes:
    """A PNG of fewer than MOST_BYTES, in 256 colours or as few as that takes."""
    for colours in (256, 128, 64, 32, 16):
        written = BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
        if written.tell() < MOST_BYTES:
            return written.getvalue()
    raise SystemExit("the picture is too large in 16 colours, too: take a narrower window")


if __name__ == "__main__":
    main()
