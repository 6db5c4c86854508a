"""Texts as arrays and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from ddiv.common.texts import DamagedTexts, pack, unpack

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(UNICODE))
def test_packed_texts_come_back_from_a_record(texts):
    found = unpack(load(save(pack(texts))))
    assert found.dtype == object and found.shape == (len(texts),) and found.tolist() == texts
    assert all(type(text) is str for text in found)


def test_the_arrays_are_utf8_and_where_each_text_ends():
    arrays = pack(["aé", "", "€\0"], "note")
    assert arrays["note/bytes"].tobytes() == "aé€\0".encode()
    assert arrays["note/ends"].tolist() == [3, 3, 7] and arrays["note/ends"].dtype == np.int64
    assert pack(np.array(["one"], dtype=object)).keys() == {"text/bytes", "text/ends"}


def spoiled(**changes):
    arrays = pack(["näh", "b"]) | {f"text/{name}": array for name, array in changes.items()}
    return {name: array for name, array in arrays.items() if array is not None}


@pytest.mark.parametrize(
    "arrays,cause",
    [
        (spoiled(ends=None), "no array 'text/ends'"),
        (spoiled(bytes=None), "no array 'text/bytes'"),
        (spoiled(ends=np.array([4, 4])), "to the 5 bytes"),
        (spoiled(ends=np.array([4, 6])), "to the 5 bytes"),
        (spoiled(ends=np.array([6, 5])), "to the 5 bytes"),
        (spoiled(ends=np.array([-1, 5])), "to the 5 bytes"),
        (spoiled(ends=np.empty(0, dtype=np.int64)), "to the 5 bytes"),
        (spoiled(ends=np.array([4.0, 5.0])), "float64"),
        (spoiled(ends=np.array([[4, 5]])), "shape|int64 .1, 2."),
        (spoiled(bytes=np.zeros(5, dtype=np.int8)), "int8"),
        (spoiled(ends=np.array([2, 5])), "no UTF-8"),
        (spoiled(bytes=np.full(5, 255, dtype=np.uint8)), "no UTF-8"),
    ],
)
def test_damaged_arrays_are_refused_with_cause_and_remedy(arrays, cause):
    with pytest.raises(DamagedTexts, match=cause) as error:
        unpack(arrays)
    assert "measure it again" in str(error.value)


def test_what_utf8_cannot_hold_is_not_packed():
    with pytest.raises(ValueError, match="surrogate"):
        pack(["\ud800"])
