"""Pictures from outside: formats that are not read, damage, depth of pixels, EXIF, bombs."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

import ddiv
from ddiv.common.pictures import in_rgb, is_picture, opened, strictly, upright
from tests.support.image_files import EPS, ghostscript, noise


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of(array: np.ndarray) -> Image.Image:
    return Image.fromarray(array)


def png(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    """A PNG file of any depth, which Pillow does not write."""

    def chunk(name: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(bits: int, width: int, height: int, content: bytes) -> bytes:
    """A grey TIFF file of any depth."""
    entries = [(256, width), (257, height), (258, bits), (259, 1), (262, 1), (273, 122)]
    entries += [(277, 1), (278, height), (279, len(content))]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4) + content


# --- what is opened -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_common_formats_are_opened_from_bytes_and_files(tmp_path, kind):
    content = saved(Image.new("RGB", (9, 7), (200, 100, 50)), kind)
    (tmp_path / "x.png").write_bytes(content)
    for source in (content, tmp_path / "x.png"):
        with opened(source) as image:
            assert image.format == kind and image.size == (9, 7)
            assert np.abs(np.asarray(in_rgb(image)).astype(int) - [200, 100, 50]).max() < 8
    assert is_picture(tmp_path / "x.png")


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
    ran = ghostscript(tmp_path, monkeypatch)
    (tmp_path / "x.png").write_bytes(EPS)
    for source in (EPS, tmp_path / "x.png"):
        with pytest.raises(ValueError, match="no picture of the formats JPEG, PNG"):
            opened(source)
    assert not is_picture(tmp_path / "x.png") and not ran.exists()


def test_pictures_are_opened_here_only():
    package = Path(ddiv.__file__).parent
    opening = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "Image.open" in path.read_text("utf-8")
    ]
    assert opening == ["common/pictures.py"]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4", b"BM"])
def test_what_is_no_picture_is_told(content):
    with pytest.raises(ValueError, match="no picture"):
        opened(content)


@pytest.mark.parametrize("side", [11, 30])  # Pillow warns of the first, and refuses the second
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch, side, action):
    content = saved(Image.new("1", (side, side)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with (
        warnings.catch_warnings(action=action),
        pytest.raises(ValueError, match=r"more pixels than the 100 .*make it smaller"),
    ):
        opened(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert opened(content).size == (side, side)


def test_a_torn_png_is_never_decoded_to_other_pixels():
    image = of(noise(0, 512, 512))
    content = saved(image, "PNG")
    other = 0
    for place in range(1000, len(content), 7000):  # a block that the disk never got
        torn = content[:place] + bytes(4096) + content[place + 4096 :]
        try:
            with Image.open(io.BytesIO(torn)) as read:
                other += bool((np.asarray(read.convert("RGB")) != np.asarray(image)).any())
        except (OSError, SyntaxError):
            pass
        with pytest.raises((ValueError, OSError, SyntaxError)):
            opened(torn).load()
    assert other  # which Pillow alone decodes


def test_a_picture_that_was_cut_short_is_an_error_whatever_libraries_set(monkeypatch):
    content = saved(of(noise(0, 64, 64)), "JPEG")
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    opened(content[:-200]).load()
    with strictly(), pytest.raises(OSError, match="truncated"):
        opened(content[:-200]).load()
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (np.abs(np.asarray(upright(opened(content))).astype(int) - [250, 0, 0]) < 4).all()


# --- depth --------------------------------------------------------------------------------------

GREYS = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_of_16_bit_greys_the_high_bits_are_taken(kind):
    for image in (
        opened(saved(of(GREYS.astype(np.uint16) * 257), kind)),
        of(GREYS.astype(np.uint16) * 257),
    ):
        assert (np.asarray(in_rgb(image)) == GREYS[..., None]).all()


def test_of_12_bit_greys_the_high_bits_are_taken():
    image = opened(tiff(12, 2, 2, bytes([0xFF, 0xFF, 0xFF, 0x80, 0x00, 0x10])))
    assert np.asarray(in_rgb(image))[..., 0].tolist() == [[255, 255], [128, 1]]


def test_of_16_bit_colours_the_high_bits_are_taken():
    colours = noise(1, 6, 5)
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in colours)
    assert (np.asarray(in_rgb(opened(png(5, 6, 16, 2, rows)))) == colours).all()


@pytest.mark.parametrize("high", [255, 65535, 2**31 - 1])
def test_32_bit_pixels_are_refused_and_not_cut_off(high):
    image = of(np.linspace(0, high, 64).reshape(8, 8).astype(np.int32))
    for made in (image, opened(saved(image, "TIFF"))):
        with pytest.raises(ValueError, match=r"32-bit pixels have no range: save it with 8"):
            in_rgb(made)


@pytest.mark.parametrize("high", [1, 255])
def test_floating_point_pixels_are_refused_and_not_cut_off(high):
    image = of(np.linspace(0, high, 64, dtype=np.float32).reshape(8, 8))
    for made in (image, opened(saved(image, "TIFF"))):
        with pytest.raises(ValueError, match="8 bits"):
            in_rgb(made)


def test_transparent_pixels_are_white_in_every_mode():
    clear = np.zeros((8, 8), np.uint8)
    palette = of(clear).convert("P")
    palette.info["transparency"] = 0
    deep = opened(saved(of(clear.astype(np.uint16) + 5), "PNG", transparency=5))
    for image in (
        of(np.dstack([clear, clear])),
        of(np.dstack([clear] * 4)),
        palette,
        palette.convert("PA"),
        deep,
        opened(saved(palette, "GIF", transparency=0)),
    ):
        assert (np.asarray(upright(image)) == 255).all(), image.mode


# --- EXIF ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize(
    "exif",
    [
        b"nonsense",
        b"Exif\0\0II*\0",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\xff\x06\0\0\0\0\0\0\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0\x06\0\0\0\0\0\0\0",
    ],
)
def test_damaged_exif_data_say_nothing(kind, exif):
    image = of(noise(4, 16, 16))
    content = saved(image, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    with warnings.catch_warnings(action="ignore"):
        found, plain = upright(opened(content)), opened(content).convert("RGB")
    assert (np.asarray(found) == np.asarray(plain)).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_their_camera_says(kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if kind == "WEBP" else {}
    content = saved(of(noise(4, 16, 12)), kind, exif=exif, **options)
    assert (np.asarray(upright(opened(content))) == np.rot90(noise(4, 16, 12), -1)).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_greys_of_0_to_255_in_16_bits_are_refused_and_do_not_become_black(kind):
    with pytest.raises(ValueError, match="16-bit pixels go up to 200 only"):
        in_rgb(opened(saved(of(np.array([[0, 200]], np.uint16)), kind)))
    black = in_rgb(opened(saved(of(np.zeros((2, 2), np.uint16)), kind)))
    assert np.asarray(black).max() == 0
