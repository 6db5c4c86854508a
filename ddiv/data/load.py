"""Datasets as arrays in memory, loaded from the specs of `ddiv.study`."""

from __future__ import annotations

from functools import lru_cache

from ddiv.data.dataset import Dataset
from ddiv.data.root import BadData
from ddiv.data.worlds.draw import load_world
from ddiv.study import (
    Arrays,
    Complaints,
    ComplaintsWorld,
    Data,
    Digits,
    DomainNet,
    Images,
    Own,
    Published,
    World,
)


@lru_cache(maxsize=4)
def load(spec: Data) -> Dataset:
    """The dataset of a spec; the last four are kept in memory.

    Raises ValueError on an impossible spec, NoData or BadData (`ddiv.data.root`) where data is not
    at hand, not usable, or too large for the memory.
    """
    try:
        return _load(spec)
    except MemoryError as error:
        raise BadData(
            f"the data do not fit into this machine's memory ({error or 'no more is free'}): take "
            f"fewer or smaller examples than {spec}"
        ) from error


def _load(spec: Data) -> Dataset:
    match spec:
        case World() | ComplaintsWorld():
            return load_world(spec)
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
    from ddiv.data import arrays, csv_file, domainnet, folder, published
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
        case Arrays() | Complaints():
            try:
                if isinstance(spec, Arrays):
                    arrays.locate(spec)
                else:
                    csv_file.find(spec.digest)
            except NoData as error:
                return str(error)
    return None
