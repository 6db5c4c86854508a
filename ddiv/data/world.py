"""The embedded image world: pictures of patterned shapes in five rendering styles, drawn by code.

An object class is an outer shape with an inner motif ("star with stripes").  Of the 120
combinations a fixed random half is for fine-tuning and the other half for pre-training, so that a
pre-trained model knows every shape and every motif but has never seen a fine-tuning class.
``real`` is the domain to train in; the other four show the same classes in other styles and serve
as shifted test data.

Everything a picture shows follows from the arguments of :func:`render`; there are no files and no
global random state.  :func:`captions` called with the same arguments describes the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ddiv.data.checks import checked_labels, checked_seed
from ddiv.data.shapes import MOTIFS, SHAPES

# Part of every picture's seed: bump it when pictures change, and old results go stale.
WORLD_VERSION = 1
DOMAINS = ("real", "clipart", "infograph", "painting", "sketch")
SIZE = 32  # pixels on a side
_FINE = 2 * SIZE  # drawn at twice the size, then averaged
_CHUNK = 96  # images drawn at once: keeps the working arrays in the processor's cache


@dataclass(frozen=True)
class ObjectClass:
    """One class of the world: an outer shape with an inner motif."""

    shape: str
    motif: str

    @property
    def name(self) -> str:
        return f"{self.shape} with {self.motif}"


def _split() -> tuple[tuple[ObjectClass, ...], tuple[ObjectClass, ...]]:
    """Two random halves of all combinations, each with every shape 5 times and every motif 6 times.

    A regular pattern (such as alternating squares) would be a rule that a model can learn; this
    starts from one and shuffles it by swaps that keep the row and column totals.
    """
    shapes, motifs = tuple(SHAPES), tuple(MOTIFS)
    taken = np.add.outer(np.arange(len(shapes)), np.arange(len(motifs))) % 2 == 0
    rng = np.random.default_rng(20250)
    for _ in range(4000):
        (a, b), (c, d) = (
            rng.choice(len(shapes), 2, replace=False),
            rng.choice(len(motifs), 2, replace=False),
        )
        if taken[a, c] == taken[b, d] != taken[a, d] == taken[b, c]:
            taken[np.ix_([a, b], [c, d])] ^= True
    pairs = [
        (ObjectClass(s, m), taken[i, j]) for i, s in enumerate(shapes) for j, m in enumerate(motifs)
    ]
    return tuple(p for p, t in pairs if t), tuple(p for p, t in pairs if not t)


FINETUNE_CLASSES, PRETRAIN_CLASSES = _split()

_COLOURS = {  # name -> red, green, blue in [0, 1]
    "red": (0.90, 0.22, 0.20),
    "orange": (0.95, 0.55, 0.10),
    "yellow": (0.95, 0.85, 0.20),
    "green": (0.25, 0.70, 0.30),
    "turquoise": (0.20, 0.75, 0.75),
    "blue": (0.25, 0.45, 0.92),
    "purple": (0.65, 0.35, 0.85),
    "pink": (0.97, 0.60, 0.75),
    "brown": (0.62, 0.42, 0.25),
    "white": (0.95, 0.95, 0.93),
}
_COLOUR_NAMES = tuple(_COLOURS)
_PALETTE = np.array(list(_COLOURS.values()), np.float32)


@dataclass(frozen=True)
class _Pose:
    """How far objects may move: radius range, turn (radians), and offset (share of the free room)."""

    radius: tuple[float, float]
    turn: float
    offset: float


# Mild on purpose: wide jitter costs the small embedded models more training than the profile can
# pay for.
_POSES = {
    "real": _Pose((0.70, 0.86), 0.18, 0.5),
    "clipart": _Pose((0.72, 0.86), 0.15, 0.5),
    "infograph": _Pose((0.58, 0.66), 0.1, 0.3),
    "painting": _Pose((0.70, 0.86), 0.18, 0.5),
    "sketch": _Pose((0.72, 0.86), 0.18, 0.5),
}


@dataclass(frozen=True)
class _Scene:
    """What was drawn at random for n pictures: colours (n, 3) or indices (n,), pose (n, 1, 1)."""

    colour: np.ndarray  # index into _COLOUR_NAMES of the first colour
    first: np.ndarray
    second: np.ndarray
    ground: np.ndarray
    cx: np.ndarray
    cy: np.ndarray
    radius: np.ndarray
    turn: np.ndarray

    def part(self, rows: slice) -> _Scene:
        return _Scene(**{k: v[rows] for k, v in vars(self).items()})


def _streams(domain: str, seed: int) -> list[np.random.Generator]:
    """Independent generators for scene, pixels and wording."""
    root = np.random.SeedSequence([WORLD_VERSION, DOMAINS.index(domain), seed])
    return [np.random.default_rng(child) for child in root.spawn(3)]


def _scene(rng: np.random.Generator, n: int, domain: str) -> _Scene:
    pose = _POSES[domain]

    def jitter(colours):
        return np.clip(colours + rng.normal(0, 0.05, (n, 3)), 0, 1).astype(np.float32)

    colour = rng.integers(len(_PALETTE), size=n)
    # The motif is always darker than the rest of the object.  With either sign of contrast a model
    # of this size needs many times the training to find the motifs.
    second = _PALETTE[rng.integers(len(_PALETTE), size=n)] * rng.uniform(0.1, 0.38, (n, 1))
    ground = _PALETTE[rng.integers(len(_PALETTE), size=n)]

    def column(values):
        return values.astype(np.float32)[:, None, None]

    radius = column(rng.uniform(*pose.radius, n))
    room = pose.offset * (1 - radius)
    return _Scene(
        colour,
        jitter(_PALETTE[colour]),
        jitter(second),
        jitter(ground),
        room * column(rng.uniform(-1, 1, n)),
        room * column(rng.uniform(-1, 1, n)),
        radius,
        column(rng.uniform(-pose.turn, pose.turn, n)),
    )


_AXIS = (np.arange(_FINE, dtype=np.float32) + np.float32(0.5)) / np.float32(SIZE) - 1
_X, _Y = _AXIS[None, None, :], -_AXIS[None, :, None]


def _clouds(rng: np.random.Generator, n: int, cells: int) -> np.ndarray:
    """(n, 64, 64) smooth random fields in about [-1, 1] whose blobs are 1/cells of the picture
    wide.
    """
    coarse = rng.uniform(-1, 1, (n, cells + 1, cells + 1)).astype(np.float32)
    at = np.linspace(0, cells, _FINE)
    weight = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(cells + 1))).astype(np.float32)
    return weight @ coarse @ weight.T


def _paint(picture: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> None:
    """Lay a colour, (n, 3) or a grey (n,), over the picture (n, 3, h, w) where the mask (n, h, w)
    is 1, in place.
    """
    colour = np.broadcast_to(colour.reshape(len(colour), -1, 1, 1), (len(colour), 3, 1, 1))
    picture += mask[:, None] * (colour - picture)


def _ink(distance: np.ndarray) -> np.ndarray:
    """1 where a distance (in picture half-widths) is below 0, 0 above, with an edge one fine pixel
    wide.
    """
    return np.clip(np.float32(0.5) - distance * np.float32(SIZE), 0, 1)


def _plain(colours: np.ndarray) -> np.ndarray:
    return np.repeat(colours, _FINE * _FINE, axis=1).reshape(len(colours), 3, _FINE, _FINE)


def _fields(classes, labels, scene: _Scene, warp_x=0.0, warp_y=0.0):
    """Signed distances, in picture half-widths, to each picture's outer edge and to its motif's
    edge.
    """
    x, y = _X + warp_x - scene.cx, _Y + warp_y - scene.cy
    cos, sin = np.cos(scene.turn) / scene.radius, np.sin(scene.turn) / scene.radius
    u, v = cos * x + sin * y, cos * y - sin * x
    outer, motif = np.empty_like(u), np.empty_like(u)
    for table, out, names in (
        (SHAPES, outer, [classes[i].shape for i in labels]),
        (MOTIFS, motif, [classes[i].motif for i in labels]),
    ):
        names = np.array(names)
        for name in np.unique(names):
            rows = np.flatnonzero(names == name)
            out[rows] = table[name](u[rows], v[rows])
    return outer * scene.radius, motif * scene.radius


def _blobs(rng, n, size):
    """Signed distances to one random ellipse or box per picture, of about the given size."""
    cx, cy, w, h = (
        rng.uniform(lo, hi, (n, 1, 1)).astype(np.float32)
        for lo, hi in ((-1, 1), (-1, 1), (0.4 * size, 1.3 * size), (0.4 * size, 1.3 * size))
    )
    x, y = np.abs(_X - cx), np.abs(_Y - cy)
    boxy = rng.random((n, 1, 1)) < 0.5
    return np.where(boxy, np.maximum(x - w, y - h), (np.hypot(x / w, y / h) - 1) * np.minimum(w, h))


def _colours(rng, n):
    return np.clip(
        _PALETTE[rng.integers(len(_PALETTE), size=n)] + rng.normal(0, 0.08, (n, 3)), 0, 1
    ).astype(np.float32)


def _real(rng, classes, labels, scene):
    """Textured background, clutter behind, something in front, light from one side, a soft shadow,
    noise.
    """
    n = len(labels)
    dim = np.float32(0.5)  # what is behind the object lies in the shade, mostly
    picture = _plain(scene.ground * dim)
    texture = np.float32(0.6) * _clouds(rng, n, 3) + np.float32(0.4) * _clouds(rng, n, 9)
    _paint(
        picture, np.clip(texture + np.float32(0.3), 0, 1) * np.float32(0.8), _colours(rng, n) * dim
    )
    picture += np.float32(0.08) * _clouds(rng, n, 20)[:, None]
    for _ in range(2):
        _paint(picture, _ink(_blobs(rng, n, 0.3)), _colours(rng, n) * dim)
    outer, motif = _fields(classes, labels, scene)
    body = _ink(outer)
    # A soft dark rim just outside stands for the shadow that an object throws on what is behind it.
    picture *= (1 - np.float32(0.4) * np.clip(1 - np.maximum(outer, 0) * 6, 0, 1) * (1 - body))[
        :, None
    ]
    _paint(picture, body, scene.first)
    _paint(picture, body * _ink(-motif), scene.second)
    angle = rng.uniform(0, 2 * np.pi, (n, 1, 1)).astype(np.float32)
    light = (
        1
        + np.float32(0.22) * (np.cos(angle) * _X + np.sin(angle) * _Y)
        + np.float32(0.1) * _clouds(rng, n, 5)
    )
    picture *= light[:, None]
    hidden = (rng.random((n, 1, 1)) < 0.35).astype(np.float32)
    _paint(picture, hidden * _ink(_blobs(rng, n, 0.14)), _colours(rng, n))
    return picture, rng.uniform(0.015, 0.05, (n, 1, 1, 1))


def _clipart(rng, classes, labels, scene):
    """Flat saturated colours, a bold dark outline, a plain pale background."""
    n = len(labels)
    picture = _plain(1 - np.float32(0.22) * (1 - scene.ground) * (rng.random((n, 1)) < 0.6))
    outer, motif = _fields(classes, labels, scene)
    body = _ink(outer)

    def saturated(colour):
        grey = colour.mean(1, keepdims=True)
        return np.clip(grey + np.float32(1.6) * (colour - grey), 0, 1)

    _paint(picture, body, saturated(scene.first))
    _paint(picture, body * _ink(-motif), saturated(scene.second))
    _paint(picture, _ink(np.abs(outer) - np.float32(0.055)), np.full(n, 0.05, np.float32))
    return picture, 0.0


def _infograph(rng, classes, labels, scene):
    """A light page with a title bar, a bar chart, lines that look like text, and the object as a
    small icon.
    """
    n = len(labels)
    picture = _plain(np.float32(0.9) + np.float32(0.1) * _colours(rng, n))
    grey = rng.uniform(0.25, 0.55, n).astype(np.float32)
    title = _colours(rng, n) * np.float32(0.8)
    # (n, lines, 64): runs of ink and gaps
    words = np.repeat(rng.random((n, 12, 16)) < 0.75, 4, axis=2)
    row = np.arange(_FINE)
    on_line = (row[:, None] == 5 * np.arange(12) + 4) | (row[:, None] == 5 * np.arange(12) + 5)
    text = np.einsum("rl,nlc->nrc", on_line.astype(np.float32), words.astype(np.float32))
    margin = rng.uniform(-0.1, 0.9, (n, 1, 1)) * np.where(rng.random((n, 1, 1)) < 0.5, 1, -1)
    beside = np.where(margin > 0, _X > margin, _X < margin) & (np.abs(_X) < 0.95)
    _paint(picture, text * beside, grey)
    _paint(
        picture,
        np.broadcast_to((_Y > 0.84) & (np.abs(_X) < 0.92), (n, _FINE, _FINE)).astype(np.float32),
        title,
    )
    heights = rng.uniform(-0.9, -0.25, (n, 8)).astype(np.float32)
    shown = rng.random((n, 1, 1)) < 0.7
    column = np.repeat(heights, _FINE // 8, axis=1)[:, None, :]
    gap = (np.arange(_FINE) % 8 < 6)[None, None, :]
    _paint(picture, ((_Y < column) & gap & shown).astype(np.float32), _colours(rng, n))
    outer, motif = _fields(classes, labels, scene)
    body = _ink(outer)
    # white halo, as icons have
    _paint(picture, _ink(outer - np.float32(0.06)), np.ones(n, np.float32))
    _paint(picture, body, scene.first)
    _paint(picture, body * _ink(-motif), scene.second)
    _paint(picture, _ink(np.abs(outer) - np.float32(0.02)), grey)
    return picture, 0.0


def _painting(rng, classes, labels, scene):
    """Edges bent as by a brush, strokes of varying lightness along one direction, few colours,
    canvas weave.
    """
    n = len(labels)
    bend_x, bend_y = (np.float32(0.09) * _clouds(rng, n, 8) for _ in range(2))
    picture = _plain(scene.ground * np.float32(0.8) + np.float32(0.1))
    _paint(picture, np.clip(2 * _clouds(rng, n, 4), 0, 1), _colours(rng, n) * np.float32(0.8))
    outer, motif = _fields(classes, labels, scene, bend_x, bend_y)
    body = _ink(outer)
    _paint(picture, body, scene.first)
    _paint(picture, body * _ink(-motif) * np.float32(0.9), scene.second)
    angle = rng.uniform(0, np.pi, (n, 1, 1)).astype(np.float32)
    across = np.cos(angle) * _X + np.sin(angle) * _Y + bend_x * 2
    strokes = np.sin(22 * across + 4 * _clouds(rng, n, 4)) * np.float32(0.09)
    picture += strokes[:, None]
    np.round(picture * 5, out=picture)
    picture /= 5
    weave = np.float32(0.05) * (np.sin(_X * 50) * np.sin(_Y * 50))
    picture += weave[:, None]
    return picture * np.float32([1.0, 0.96, 0.86])[None, :, None, None], 0.015


def _sketch(rng, classes, labels, scene):
    """Dark, slightly shaky pen lines on paper: the outline, the motif's edges, thin hatching in the
    motif.
    """
    n = len(labels)
    picture = _plain(
        np.clip(np.float32([[0.93, 0.91, 0.86]]) + rng.normal(0, 0.02, (n, 3)), 0, 1).astype(
            np.float32
        )
    )
    picture += np.float32(0.03) * _clouds(rng, n, 24)[:, None]
    shake_x, shake_y = (np.float32(0.035) * _clouds(rng, n, 6) for _ in range(2))
    outer, motif = _fields(classes, labels, scene, shake_x, shake_y)
    body = _ink(outer)
    pressure = np.clip(np.float32(0.85) + np.float32(0.4) * _clouds(rng, n, 5), 0, 1)
    hatching = np.clip(np.sin(36 * (_X + _Y) + 2 * shake_x * 30) * 2 - np.float32(0.3), 0, 1)
    graphite = rng.uniform(0.1, 0.3, n).astype(np.float32)
    _paint(picture, body * _ink(-motif) * hatching * np.float32(0.7), graphite)
    _paint(picture, body * _ink(np.abs(motif) - np.float32(0.018)) * pressure, graphite)
    _paint(picture, _ink(np.abs(outer) - np.float32(0.035)) * pressure, graphite)
    return picture, 0.02


_PAINTERS = {
    "real": _real,
    "clipart": _clipart,
    "infograph": _infograph,
    "painting": _painting,
    "sketch": _sketch,
}


def _checked(classes, labels, domain, seed) -> np.ndarray:
    if domain not in DOMAINS:
        raise ValueError(f"unknown domain {domain!r}; the domains are {', '.join(DOMAINS)}")
    checked_seed(seed)
    return checked_labels(labels, len(classes))


def render(
    classes: Sequence[ObjectClass], labels: np.ndarray, domain: str, seed: int
) -> np.ndarray:
    """Draw one picture per label: uint8 (n, 3, 32, 32), red-green-blue, 0..255.

    ``labels`` are whole numbers (n,) into ``classes``.  The same arguments always give the same
    bytes; another seed or domain gives independent pictures.  The i-th of n pictures with one seed
    keeps its pose, colours and surroundings when only its label changes, so train and test pictures
    need different seeds.  Raises ValueError for an unknown domain, a label out of range, or a
    negative seed.
    """
    labels = _checked(classes, labels, domain, seed)
    scene_rng, pixel_rng, _ = _streams(domain, int(seed))
    scene = _scene(scene_rng, len(labels), domain)
    out = np.empty((len(labels), 3, SIZE, SIZE), np.uint8)
    for start in range(0, len(labels), _CHUNK):
        rows = slice(start, start + _CHUNK)
        picture, noise = _PAINTERS[domain](pixel_rng, classes, labels[rows], scene.part(rows))
        small = (
            picture[..., ::2, ::2]
            + picture[..., 1::2, ::2]
            + picture[..., ::2, 1::2]
            + picture[..., 1::2, 1::2]
        ) / 4
        if np.any(noise):
            small += np.float32(noise) * pixel_rng.standard_normal(small.shape, np.float32)
        out[rows] = np.clip(small * 255 + np.float32(0.5), 0, 255)
    return out


_STYLES = {
    "real": ("photo", "picture", "snapshot"),
    "clipart": ("clipart", "cartoon", "sticker"),
    "infograph": ("infographic", "chart", "poster"),
    "painting": ("painting", "oil painting", "canvas"),
    "sketch": ("sketch", "drawing", "pencil drawing"),
}
# Most forms leave out colour and style: where every caption names both, matching pictures with
# captions by colour and style alone is enough, and the shape and the motif are never learned.
_FORMS = (
    "a {shape} with {motif}",
    "a {shape} with {motif}",
    "a {shape} with {motif}",
    "{motif} on a {shape}",
    "{style} of a {shape} with {motif}",
    "{style} of a {shape} with {motif}",
    "the {shape} has {motif}",
    "{colour} {shape} with {motif}",
    "{style} of {motif} on a {shape}",
    "{colour} {shape}",
)


def captions(
    classes: Sequence[ObjectClass], labels: np.ndarray, domain: str, seed: int
) -> list[str]:
    """One caption for each picture that :func:`render` draws from the same arguments.

    Captions vary in which of shape, motif, colour and style they name.  Pictures without colour
    (sketch) never have it named.  Raises ValueError as :func:`render` does.
    """
    labels = _checked(classes, labels, domain, seed)
    scene_rng, _, word_rng = _streams(domain, int(seed))
    colour = _scene(scene_rng, len(labels), domain).colour
    forms = _FORMS if domain != "sketch" else tuple(f for f in _FORMS if "{colour}" not in f)
    form, style = (
        word_rng.integers(len(forms), size=len(labels)),
        word_rng.integers(3, size=len(labels)),
    )
    return [
        forms[form[i]].format(
            shape=classes[k].shape,
            motif=classes[k].motif,
            colour=_COLOUR_NAMES[colour[i]],
            style=_STYLES[domain][style[i]],
        )
        for i, k in enumerate(labels)
    ]


def contact_sheet(
    classes: Sequence[ObjectClass] = FINETUNE_CLASSES[::5], seed: int = 0, zoom: int = 3
) -> np.ndarray:
    """A picture of pictures: rows are domains, columns are classes.  uint8 (height, width, 3)."""
    labels = np.arange(len(classes))
    rows = []
    for domain in DOMAINS:
        cells = np.pad(
            render(classes, labels, domain, seed),
            ((0, 0), (0, 0), (1, 1), (1, 1)),
            constant_values=255,
        )
        rows.append(np.concatenate(list(cells), axis=2))
    sheet = np.concatenate(rows, axis=1).transpose(1, 2, 0)
    return np.ascontiguousarray(sheet.repeat(zoom, 0).repeat(zoom, 1))
