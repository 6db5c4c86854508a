"""Datasets as arrays in memory, loaded from the specs of `ddiv.study`."""

from __future__ import annotations

import sys

import numpy as np

from ddiv.common.texts import are_texts
from ddiv.data.dataset import Dataset
from ddiv.data.root import BadData
from ddiv.data.worlds.draw import load_world
from ddiv.study import (
    Arrays,
    CartPole,
    Complaints,
    ComplaintsWorld,
    Data,
    Digits,
    DomainNet,
    Images,
    Own,
    Published,
    Tables,
    TableSet,
    World,
)

# Datasets are kept in memory up to this size together. Those of a run's replicates are many; images
# that are mapped from disk take none of it.
MOST_BYTES = 1 << 30


class _Loader:
    """Loads datasets, and keeps the last ones."""

    def __init__(self) -> None:
        # With their bytes, the longest unused first.
        self._kept: dict[Data, tuple[Dataset, int]] = {}

    def __call__(self, spec: Data) -> Dataset:
        """The dataset of a spec.

        Raises ValueError on an impossible spec, NoData or BadData (`ddiv.data.root`) where data is
        not at hand, not usable, or too large for the memory.
        """
        if (found := self._kept.pop(spec, None)) is None:
            data = self._loaded(spec)
            found = data, _bytes(data)
        self._kept[spec] = found
        self._forget()
        return found[0]

    def _loaded(self, spec: Data) -> Dataset:
        try:
            return _load(spec)
        except MemoryError as error:
            raise BadData(
                f"the data do not fit into this machine's memory ({error or 'no more is free'}): "
                f"take fewer or smaller examples than {spec}"
            ) from error

    def _forget(self) -> None:
        """Drop the longest unused datasets of too many; the last one stays."""
        held = 0
        for spec, (_, size) in reversed(list(self._kept.items())):
            held += size
            if held > MOST_BYTES and next(reversed(self._kept)) is not spec:
                self._kept.pop(spec, None)

    def cache_clear(self) -> None:
        """Forget all datasets."""
        self._kept.clear()


load = _Loader()


def _bytes(data: Dataset) -> int:
    """The memory that a dataset takes, near enough."""
    return sum(map(_size, (data.inputs, *(inputs for inputs, _ in data.tests.values()))))


def _size(inputs: np.ndarray) -> int:
    if isinstance(inputs, np.memmap):
        return 0
    return sum(map(sys.getsizeof, inputs)) if are_texts(inputs) else inputs.nbytes


def _load(spec: Data) -> Dataset:
    match spec:
        case World() | ComplaintsWorld():
            return load_world(spec)
        case CartPole():
            from ddiv.data.worlds.cart_pole import load_cart_pole

            return load_cart_pole(spec)
        case Digits():
            from ddiv.data.digits import load_digits

            return load_digits(spec)
        case Complaints():
            from ddiv.data.complaints import load_complaints

            return load_complaints(spec)
        case Images():
            from ddiv.data.folder import load_images

            return load_images(spec)
        case Arrays():
            from ddiv.data.arrays import load_arrays

            return load_arrays(spec)
        case Published():
            from ddiv.data.published import load_published

            return load_published(spec)
        case DomainNet():
            from ddiv.data.domainnet import load_domainnet

            return load_domainnet(spec)
        case Own():
            from ddiv.data.own import load_own

            return load_own(spec)
    raise TypeError(f"no loader for {spec!r}")


def absent_data(spec: Data) -> str | None:
    """Why the data of a spec is not at hand, and how to get it, in one line; None where it is.

    Nothing is decoded.
    """
    from ddiv.common.own import absent
    from ddiv.data import arrays, csv_file, domainnet, folder, published, tables
    from ddiv.data.root import NoData

    match spec:
        case Images():
            return folder.absent_images(spec)
        case Published():
            return published.absent_published(spec)
        case DomainNet():
            return domainnet.absent_domainnet(spec)
        case Own():
            return absent(spec)
        case Tables() | TableSet():
            return tables.absent_tables(spec)
        case Arrays() | Complaints():
            try:
                if isinstance(spec, Arrays):
                    arrays.locate(spec)
                else:
                    csv_file.find(spec.digest, spec.file)
            except NoData as error:
                return str(error)
    return None
