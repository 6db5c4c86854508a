"""Texts as arrays and back, for records in safetensors.

One array holds the UTF-8 bytes of all texts, another the place where each text ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np


class DamagedTexts(ValueError):
    """Packed texts cannot be read back; the message says what is wrong with them."""


def pack(texts: Sequence[str] | np.ndarray, name: str = "text") -> dict[str, np.ndarray]:
    """Texts (n,) as two arrays.

    "NAME/bytes" uint8 (b,) holds their UTF-8, one after the other, "NAME/ends" int64 (n,) the place
    where each ends.

    Raises ValueError on an unpaired surrogate, which UTF-8 has no bytes for.
    """
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {f"{name}/bytes": np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}/ends": ends}


def unpack(arrays: Mapping[str, np.ndarray], name: str = "text") -> np.ndarray:
    """The texts (n,), an object array of str, that `pack` made these arrays of.

    Raises DamagedTexts where the arrays don't fit.
    """
    missing = [key for key in (f"{name}/bytes", f"{name}/ends") if key not in arrays]
    if missing:
        raise DamagedTexts(_message(name, f"no array {missing[0]!r}"))
    content, ends = arrays[f"{name}/bytes"], arrays[f"{name}/ends"]
    if content.dtype != np.uint8 or ends.dtype != np.int64 or content.ndim != 1 or ends.ndim != 1:
        present = f"{content.dtype} {content.shape} and {ends.dtype} {ends.shape}"
        raise DamagedTexts(_message(name, f"arrays {present}, not uint8 (b,) and int64 (n,)"))
    bounds = [0, *ends.tolist()]
    if np.any(np.diff(bounds) < 0) or bounds[-1] != len(content):
        raise DamagedTexts(
            _message(name, f"ends that do not go up to the {len(content)} bytes that there are")
        )
    whole = content.tobytes()
    try:
        return as_texts([whole[start:end].decode() for start, end in pairwise(bounds)])
    except UnicodeDecodeError as error:
        raise DamagedTexts(_message(name, f"bytes that are no UTF-8: {error.reason}")) from error


def _message(name: str, cause: str) -> str:
    return (
        f"the packed texts {name!r} are damaged: {cause}. Delete the record that they come from "
        "and measure it again"
    )


def as_texts(texts: Sequence[object] | np.ndarray) -> np.ndarray:
    """The elements as an object array (n,), whatever they are; nested sequences stay elements."""
    elements = np.empty(len(texts), dtype=object)
    for number, text in enumerate(texts):
        elements[number] = str(text) if isinstance(text, np.str_) else text
    return elements


def are_texts(inputs: np.ndarray) -> bool:
    """Whether these inputs of a dataset are texts; everything else is images."""
    return inputs.dtype == object
