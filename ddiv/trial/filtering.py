"""The filter of `ddiv.treatment.Filtered`: which synthetic examples look like their class.

The published code leaves open how its texts were checked. This filter knows the real training
examples only, needs no training, and reads texts and images: an example passes by how much nearer
it lies to the mean of its class's real examples than to that of any other class.
"""

from __future__ import annotations

import numpy as np

from ddiv.common.arrays import Array
from ddiv.common.texts import are_texts
from ddiv.data.dataset import Shown


def passing(real: Shown, synthetic: Shown, kept: float) -> np.ndarray:
    """Which synthetic examples the filter keeps, bool (m,): the share `kept` of each class.

    They are those of the largest margins, one at least, and otherwise rounded so that the total is
    right; of equal margins the first in the pool.
    """
    margins = _margins(real, synthetic)
    passed = np.zeros(len(synthetic.labels), dtype=bool)
    classes = np.unique(synthetic.labels)
    due = np.cumsum([kept * np.count_nonzero(synthetic.labels == label) for label in classes])
    for label, take in zip(classes, np.diff(np.rint(due).astype(int), prepend=0)):
        members = np.flatnonzero(synthetic.labels == label)
        passed[members[np.argsort(-margins[members], kind="stable")[: max(1, take)]]] = True
    return passed


def _margins(real: Shown, synthetic: Shown) -> Array:
    """The cosine of each synthetic example with the mean of its class's real ones, less the largest
    with that of another class, (m,). With a single class, the cosine.
    """
    known, asked = _vectors(real.inputs, synthetic.inputs)
    classes = np.unique(real.labels)
    means = np.stack([known[real.labels == label].mean(axis=0) for label in classes])
    cosines = _unit(asked) @ _unit(means).T
    own = synthetic.labels[:, None] == classes
    others = np.where(own, -np.inf, cosines).max(axis=1)
    margins: Array = np.where(own, cosines, 0).sum(axis=1) - np.where(
        np.isfinite(others), others, 0
    )
    return margins


def _vectors(known: np.ndarray, asked: np.ndarray) -> tuple[Array, Array]:
    """Real and synthetic examples as rows: texts by TF-IDF of their words, images by their pixels
    less the mean real image; both as the real examples have it.
    """
    if are_texts(known):
        from sklearn.feature_extraction.text import TfidfVectorizer

        weigh = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+")
        return weigh.fit_transform(known).toarray(), weigh.transform(asked).toarray()
    rows = [inputs.reshape(len(inputs), -1).astype(np.float32) for inputs in (known, asked)]
    centre = rows[0].mean(axis=0)
    return rows[0] - centre, rows[1] - centre


def _unit(rows: Array) -> Array:
    scaled: Array = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return scaled
