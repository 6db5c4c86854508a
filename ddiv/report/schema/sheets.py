"""Contact sheets of data and of generators."""

from __future__ import annotations

from msgspec import Struct, field

from ddiv.report.schema.common import Quote


class ContactSheet(Struct, frozen=True, kw_only=True):
    """Examples of a study's data, as one image or as quoted texts."""

    study: str = ""
    caption: str = ""
    image: str | None = None  # data URL
    texts: dict[str, tuple[Quote, ...]] | None = None  # by domain


class SampleRow(Struct, frozen=True, kw_only=True):
    """Samples of a generator in one setting and round, or real examples beside them."""

    name: str
    seed: int | None = None
    image: str | None = None  # data URL: one strip of images
    texts: tuple[Quote, ...] | None = None
    quality: dict[str, float] = field(default_factory=dict)  # by measure


class GeneratorSheet(Struct, frozen=True, kw_only=True):
    """Samples of a study's generator; the first row is of real training data."""

    study: str
    generator: str
    classes: tuple[str, ...]  # a column of the images each
    each: int  # images of every class
    rows: tuple[SampleRow, ...]
    measures: tuple[str, ...]  # of the samples' quality, in the order in which they are shown
