"""The check of every generator's texts, before they are stored or trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ddiv.generate.check import BadSamples

SHOWN = 60  # characters of a bad text that a message quotes


def checked_texts(texts: Sequence[str] | np.ndarray, count: int) -> np.ndarray:
    """The texts as an object array (count,) of str.

    Raises BadSamples on another number or shape, on elements that are no strings, on empty texts
    and those of white space alone, and on NUL and unpaired surrogates, which tokenisers and UTF-8
    refuse.
    """
    if isinstance(texts, str):
        raise BadSamples(
            f"the generator gave one string where {count} texts were asked for: let it give a list "
            "of strings"
        )
    elements = as_texts(texts)
    if len(elements) != count:
        raise BadSamples(
            f"{count} texts were asked for and the generator gave {len(elements)}: let it give one "
            "for each label"
        )
    for number, text in enumerate(elements):
        if cause := _unusable(text):
            quoted = repr(text if len(repr(text)) <= SHOWN else f"{str(text)[:SHOWN]}...")
            raise BadSamples(
                f"generated text {number} of {count} {cause} ({quoted}): let the generator drop "
                "such texts and draw others in their place"
            )
    return elements


def as_texts(texts: Sequence[object] | np.ndarray) -> np.ndarray:
    """The elements as an object array (n,), whatever they are; nested sequences stay elements."""
    elements = np.empty(len(texts), dtype=object)
    for number, text in enumerate(texts):
        elements[number] = str(text) if isinstance(text, np.str_) else text
    return elements


def _unusable(text: object) -> str:
    if not isinstance(text, str):
        return f"is of type {type(text).__name__}, not str"
    if not text.strip():
        return "is empty or white space alone"
    if "\0" in text:
        return "holds the character NUL"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds an unpaired surrogate, which is no character"
    return ""
