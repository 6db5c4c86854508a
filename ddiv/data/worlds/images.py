"""The embedded image world: pictures of patterned shapes in five rendering styles, drawn by code.

An object class is an outer shape with an inner motif ("star with stripes"). Of the 120
combinations a fixed random half is for fine-tuning and the other half for pre-training, so that a
pre-trained model knows every shape and every motif but has never seen a fine-tuning class. `real`
is the domain to train in; the other four show the same classes in other styles and serve as shifted
test data.

Everything in a picture follows from the arguments of `render`; there are no files and no global
random state. `captions` called with the same arguments describes the same pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ddiv.data.worlds.checks import checked_labels, checked_seed
from ddiv.data.worlds.shapes import MOTIFS, SHAPES

Array = NDArray[np.float32]

# Part of every picture's seed: raise it when pictures change, so that old results go stale.
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
        a, b = rng.choice(len(shapes), 2, replace=False)
        c, d = rng.choice(len(motifs), 2, replace=False)
        if taken[a, c] == taken[b, d] != taken[a, d] == taken[b, c]:
            taken[np.ix_([a, b], [c, d])] ^= True
    halves: dict[bool, list[ObjectClass]] = {True: [], False: []}
    for i, shape in enumerate(shapes):
        for j, motif in enumerate(motifs):
            halves[bool(taken[i, j])].append(ObjectClass(shape, motif))
    return tuple(halves[True]), tuple(halves[False])


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
    """The range of an object's radius, its largest turn (radians) and offset.

    The offset is a share of the room that the radius leaves free.
    """

    radius: tuple[float, float]
    turn: float
    offset: float


# Mild on purpose: under wide jitter the small embedded models need more training than the profile
# has time for.
_POSES = {
    "real": _Pose((0.70, 0.86), 0.18, 0.5),
    "clipart": _Pose((0.72, 0.86), 0.15, 0.5),
    "infograph": _Pose((0.58, 0.66), 0.1, 0.3),
    "painting": _Pose((0.70, 0.86), 0.18, 0.5),
    "sketch": _Pose((0.72, 0.86), 0.18, 0.5),
}


@dataclass(frozen=True)
class _Scene:
    """The random draws for n pictures: colours (n, 3) or indices (n,), poses (n, 1, 1)."""

    colour: NDArray[np.int64]  # index into _COLOUR_NAMES of the first colour
    first: Array
    second: Array
    ground: Array
    cx: Array
    cy: Array
    radius: Array
    turn: Array

    def part(self, rows: slice) -> _Scene:
        return _Scene(**{name: draws[rows] for name, draws in vars(self).items()})


def _streams(domain: str, seed: int) -> list[np.random.Generator]:
    """Independent generators for scene, pixels and wording."""
    root = np.random.SeedSequence([WORLD_VERSION, DOMAINS.index(domain), seed])
    return [np.random.default_rng(child) for child in root.spawn(3)]


def _scene(rng: np.random.Generator, n: int, domain: str) -> _Scene:
    pose = _POSES[domain]

    def jitter(colours: np.ndarray) -> Array:
        return np.clip(colours + rng.normal(0, 0.05, (n, 3)), 0, 1).astype(np.float32)

    colour = rng.integers(len(_PALETTE), size=n)
    # The motif is always darker than the rest of the object. With either sign of contrast a model
    # of this size needs many times the training to find the motifs.
    second = _PALETTE[rng.integers(len(_PALETTE), size=n)] * rng.uniform(0.1, 0.38, (n, 1))
    ground = _PALETTE[rng.integers(len(_PALETTE), size=n)]

    def column(values: NDArray[np.float64]) -> Array:
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


def _clouds(rng: np.random.Generator, n: int, cells: int) -> Array:
    """Smooth random fields (n, 64, 64) in about [-1, 1]; their blobs are 1/cells of it wide."""
    coarse = rng.uniform(-1, 1, (n, cells + 1, cells + 1)).astype(np.float32)
    place = np.linspace(0, cells, _FINE)
    weight = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells + 1))).astype(np.float32)
    clouds: Array = weight @ coarse @ weight.T
    return clouds


def _paint(picture: Array, mask: np.ndarray, colour: Array) -> None:
    """Lay a colour over the picture (n, 3, h, w), in place, where the mask (n, h, w) is 1.

    The colour is (n, 3), or a grey (n,).
    """
    colour = np.broadcast_to(colour.reshape(len(colour), -1, 1, 1), (len(colour), 3, 1, 1))
    picture += mask[:, None] * (colour - picture)


def _ink(distance: Array) -> Array:
    """1 where a distance (in picture half-widths) is below 0, 0 above.

    The edge between them is one fine pixel wide.
    """
    ink: Array = np.clip(np.float32(0.5) - distance * np.float32(SIZE), 0, 1)
    return ink


def _plain(colours: Array) -> Array:
    """Pictures (n, 3, 64, 64) of one colour each, given as (n, 3)."""
    return np.repeat(colours, _FINE * _FINE, axis=1).reshape(len(colours), 3, _FINE, _FINE)


def _fields(
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
    warp_x: Array | float = 0.0,
    warp_y: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Signed distances (n, 64, 64) to the outer edges of objects, and to those of their motifs.

    They are in picture half-widths. The warps are added to the coordinates before.
    """
    x, y = _X + warp_x - scene.cx, _Y + warp_y - scene.cy
    cos, sin = np.cos(scene.turn) / scene.radius, np.sin(scene.turn) / scene.radius
    u, v = cos * x + sin * y, cos * y - sin * x
    outer, motif = np.empty_like(u), np.empty_like(u)
    for table, out, names in (
        (SHAPES, outer, np.array([classes[i].shape for i in labels])),
        (MOTIFS, motif, np.array([classes[i].motif for i in labels])),
    ):
        for name in np.unique(names):
            rows = np.flatnonzero(names == name)
            out[rows] = table[name](u[rows], v[rows])
    return outer * scene.radius, motif * scene.radius


def _blobs(rng: np.random.Generator, n: int, size: float) -> Array:
    """Signed distances to one random ellipse or box per picture, of about the given size."""
    ranges = ((-1, 1), (-1, 1), (0.4 * size, 1.3 * size), (0.4 * size, 1.3 * size))
    cx, cy, w, h = (rng.uniform(lo, hi, (n, 1, 1)).astype(np.float32) for lo, hi in ranges)
    x, y = np.abs(_X - cx), np.abs(_Y - cy)
    boxy = rng.random((n, 1, 1)) < 0.5
    ellipse: Array = (np.hypot(x / w, y / h) - 1) * np.minimum(w, h)
    return np.where(boxy, np.maximum(x - w, y - h), ellipse)


def _colours(rng: np.random.Generator, n: int) -> Array:
    palette = _PALETTE[rng.integers(len(_PALETTE), size=n)]
    return np.clip(palette + rng.normal(0, 0.08, (n, 3)), 0, 1).astype(np.float32)


# A style: from random draws, classes, labels (n,) and scene to pictures (n, 3, 64, 64), and the
# standard deviation of the pixel noise to add, one for all or (n, 1, 1, 1).
Painter = Callable[
    [np.random.Generator, Sequence[ObjectClass], NDArray[np.int64], _Scene],
    tuple[Array, float | NDArray[np.float64]],
]


def _real(
    rng: np.random.Generator,
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
) -> tuple[Array, NDArray[np.float64]]:
    """A photograph: texture and clutter behind, an obstacle in front, light, a shadow, noise."""
    n = len(labels)
    dim = np.float32(0.5)  # things behind the object lie in the shade, mostly
    picture = _plain(scene.ground * dim)
    texture = np.float32(0.6) * _clouds(rng, n, 3) + np.float32(0.4) * _clouds(rng, n, 9)
    strength = np.clip(texture + np.float32(0.3), 0, 1) * np.float32(0.8)
    _paint(picture, strength, _colours(rng, n) * dim)
    picture += np.float32(0.08) * _clouds(rng, n, 20)[:, None]
    for _ in range(2):
        _paint(picture, _ink(_blobs(rng, n, 0.3)), _colours(rng, n) * dim)
    outer, motif = _fields(classes, labels, scene)
    body = _ink(outer)
    # A soft dark rim just outside stands for the shadow of the object on the background.
    rim = np.clip(1 - np.maximum(outer, 0) * 6, 0, 1)
    picture *= (1 - np.float32(0.4) * rim * (1 - body))[:, None]
    _paint(picture, body, scene.first)
    _paint(picture, body * _ink(-motif), scene.second)
    angle = rng.uniform(0, 2 * np.pi, (n, 1, 1)).astype(np.float32)
    light = 1 + np.float32(0.22) * (np.cos(angle) * _X + np.sin(angle) * _Y)
    light = light + np.float32(0.1) * _clouds(rng, n, 5)
    picture *= light[:, None]
    hidden = (rng.random((n, 1, 1)) < 0.35).astype(np.float32)
    _paint(picture, hidden * _ink(_blobs(rng, n, 0.14)), _colours(rng, n))
    return picture, rng.uniform(0.015, 0.05, (n, 1, 1, 1))


def _clipart(
    rng: np.random.Generator,
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
) -> tuple[Array, float]:
    """Flat saturated colours, a bold dark outline, a plain pale background."""
    n = len(labels)
    picture = _plain(1 - np.float32(0.22) * (1 - scene.ground) * (rng.random((n, 1)) < 0.6))
    outer, motif = _fields(classes, labels, scene)
    body = _ink(outer)

    def saturated(colour: Array) -> Array:
        grey = colour.mean(1, keepdims=True)
        bright: Array = np.clip(grey + np.float32(1.6) * (colour - grey), 0, 1)
        return bright

    _paint(picture, body, saturated(scene.first))
    _paint(picture, body * _ink(-motif), saturated(scene.second))
    _paint(picture, _ink(np.abs(outer) - np.float32(0.055)), np.full(n, 0.05, np.float32))
    return picture, 0.0


def _infograph(
    rng: np.random.Generator,
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
) -> tuple[Array, float]:
    """A light page: a title bar, a bar chart, lines like text, and the object as a small icon."""
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
    bar = np.broadcast_to((_Y > 0.84) & (np.abs(_X) < 0.92), (n, _FINE, _FINE))
    _paint(picture, bar.astype(np.float32), title)
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


def _painting(
    rng: np.random.Generator,
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
) -> tuple[Array, float]:
    """Edges bent as by a brush, strokes along one direction, few colours, the canvas's weave."""
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
    tint = np.array([1.0, 0.96, 0.86], np.float32)
    return picture * tint[None, :, None, None], 0.015


def _sketch(
    rng: np.random.Generator,
    classes: Sequence[ObjectClass],
    labels: NDArray[np.int64],
    scene: _Scene,
) -> tuple[Array, float]:
    """Slightly shaky pen lines on paper: the outline, the motif's edges, hatching in the motif."""
    n = len(labels)
    paper = np.array([[0.93, 0.91, 0.86]], np.float32) + rng.normal(0, 0.02, (n, 3))
    picture = _plain(np.clip(paper, 0, 1).astype(np.float32))
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


_PAINTERS: dict[str, Painter] = {
    "real": _real,
    "clipart": _clipart,
    "infograph": _infograph,
    "painting": _painting,
    "sketch": _sketch,
}


def _checked(
    classes: Sequence[ObjectClass], labels: Sequence[int] | np.ndarray, domain: str, seed: int
) -> NDArray[np.int64]:
    """The labels int64 (n,). Raises ValueError as `render` does."""
    if domain not in DOMAINS:
        raise ValueError(f"unknown domain {domain!r}; the domains are {', '.join(DOMAINS)}")
    checked_seed(seed)
    return checked_labels(labels, len(classes))


def render(
    classes: Sequence[ObjectClass], labels: Sequence[int] | np.ndarray, domain: str, seed: int
) -> NDArray[np.uint8]:
    """Draw one picture per label: uint8 (n, 3, 32, 32), red-green-blue, 0..255.

    `labels` are whole numbers (n,) into `classes`. The same arguments always give the same bytes;
    another seed or domain gives independent pictures. The i-th of n pictures with one seed keeps
    its pose, colours and surroundings when only its label changes, so training and test pictures
    need different seeds. Raises ValueError for an unknown domain, a label out of range, or a
    negative seed.
    """
    labels = _checked(classes, labels, domain, seed)
    scene_rng, pixel_rng, _ = _streams(domain, int(seed))
    scene = _scene(scene_rng, len(labels), domain)
    out = np.empty((len(labels), 3, SIZE, SIZE), np.uint8)
    for start in range(0, len(labels), _CHUNK):
        rows = slice(start, start + _CHUNK)
        picture, noise = _PAINTERS[domain](pixel_rng, classes, labels[rows], scene.part(rows))
        top = picture[..., ::2, ::2] + picture[..., 1::2, ::2]
        small = (top + picture[..., ::2, 1::2] + picture[..., 1::2, 1::2]) / 4
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

# All words and phrases by which captions tell pictures apart.
VOCABULARY = (
    *SHAPES,
    *MOTIFS,
    *_COLOUR_NAMES,
    *(word for synonyms in _STYLES.values() for word in synonyms),
)


def captions(
    classes: Sequence[ObjectClass], labels: Sequence[int] | np.ndarray, domain: str, seed: int
) -> list[str]:
    """One caption for each picture that `render` draws from the same arguments.

    Captions name some of shape, motif, colour and style. Those of pictures without colour (sketch)
    never name it. Raises ValueError as `render` does.
    """
    labels = _checked(classes, labels, domain, seed)
    scene_rng, _, word_rng = _streams(domain, int(seed))
    colour = _scene(scene_rng, len(labels), domain).colour
    forms = _FORMS if domain != "sketch" else tuple(f for f in _FORMS if "{colour}" not in f)
    form = word_rng.integers(len(forms), size=len(labels))
    style = word_rng.integers(3, size=len(labels))
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
    """A picture of pictures, uint8 (height, width, 3): rows are domains, columns are classes."""
    labels = np.arange(len(classes))
    rows = []
    for domain in DOMAINS:
        pictures = render(classes, labels, domain, seed)
        cells = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=255)
        rows.append(np.concatenate(list(cells), axis=2))
    sheet = np.concatenate(rows, axis=1).transpose(1, 2, 0)
    return np.ascontiguousarray(sheet.repeat(zoom, 0).repeat(zoom, 1))
