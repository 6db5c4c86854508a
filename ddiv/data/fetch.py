"""`ddiv fetch`: published datasets brought below the data root.

What torchvision offers is left to torchvision and its checksums. DomainNet comes from its authors'
server; they publish no checksums, and the MD5 here are those that several independent public
projects check their downloads against.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, cast

from ddiv.common.printed import one_line
from ddiv.data import domainnet, published
from ddiv.data.download import (
    GIGABYTE,
    SILENCE_SECONDS,
    FetchFailed,
    Remote,
    download,
    require_room,
    require_server,
)
from ddiv.data.root import BadData, data_root
from ddiv.study import DomainNet, Published, PublishedName

SERVER = "http://csr.bu.edu/ftp/visda/2019/multi-source"

DOMAINNET = tuple(
    Remote(f"{SERVER}/{path}", md5)
    for path, md5 in [
        ("domainnet/txt/real_train.txt", "8ebf02c2075fadd564705f0dc7cd6291"),
        ("domainnet/txt/real_test.txt", "6098816791c3ebed543c71ffa11b9054"),
        ("domainnet/txt/clipart_test.txt", "f5ddbcfd657a3acf9d0f7da10db22565"),
        ("domainnet/txt/infograph_test.txt", "779626b50869edffe8ea6941c3755c71"),
        ("domainnet/txt/painting_test.txt", "232b35dc53f26d414686ae579e38d9b5"),
        ("domainnet/txt/sketch_test.txt", "d8a222e4672cfd585298aa14d02ea441"),
        ("real.zip", "dcc47055e8935767784b7162e7c7cca6"),
        ("groundtruth/clipart.zip", "cd0d8f2d77a4e181449b78ed62bccf1e"),
        ("infograph.zip", "720380b86f9e6ab4805bb38b6bd135f8"),
        ("groundtruth/painting.zip", "1ae32cdb4f98fe7ab5eb0a351768abfd"),
        ("sketch.zip", "658d8009644040ff7ce30bb2e820850f"),
    ]
)


class Offer(NamedTuple):
    """A dataset before it is fetched: its size in bytes, its licence, and a note.

    `absent` says what is missing of it (None: nothing). `bring` brings it; it is None where nobody
    offers it for download, and `note` then says what to do by hand.
    """

    size: float
    licence: str
    absent: Callable[[], str | None]
    bring: Callable[[], None] | None
    note: str = ""


def _by_torchvision(name: str, size: float) -> None:
    from torchvision import datasets

    kind = getattr(datasets, name)
    require_server(_address(kind))
    require_room(data_root(), 2.2 * size)  # the archive stays beside its unpacked files
    # torchvision waits for a silent server for ever.
    usual = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        kind(data_root(), download=True)
    except Exception as error:  # sockets, archives and files raise all sorts of errors
        raise FetchFailed(
            f"torchvision could not bring {name} ({type(error).__name__}: {error}): look at the "
            f"connection and at {data_root()}, and fetch again"
        ) from error
    finally:
        socket.setdefaulttimeout(usual)


def _address(kind: Any) -> str:
    """Where torchvision fetches a dataset of this class from; "" where it no longer says so."""
    archives = getattr(kind, "_ARCHIVES", {}).get("full", ("",))
    return str(getattr(kind, "url", getattr(kind, "_download_url_prefix", archives[0])))


def _domainnet(size: float) -> None:
    require_server(DOMAINNET[0].url)
    folder = domainnet.folder()
    folder.mkdir(parents=True, exist_ok=True)
    present = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    require_room(folder, size - present)
    for remote in DOMAINNET:
        download(remote, folder / remote.url.rsplit("/", 1)[1])


def _pacs_absent() -> str | None:
    folder = data_root() / "pacs"
    return None if folder.is_dir() else f"there is no {folder}"


def _published(name: PublishedName, kind: str, size: float, licence: str) -> Offer:
    absent = partial(published.absent_published, Published(name))
    bring = partial(_by_torchvision, kind, size)
    return Offer(size, licence, absent, bring)


_CIFAR_LICENCE = "no licence stated; cite Krizhevsky (2009)"

OFFERS = {
    "cifar10": _published("cifar10", "CIFAR10", 0.17e9, _CIFAR_LICENCE),
    "cifar100": _published("cifar100", "CIFAR100", 0.17e9, _CIFAR_LICENCE),
    "imagenette": _published(
        "imagenette",
        "Imagenette",
        1.56e9,
        "Apache-2.0 for the selection, ImageNet's terms (research) for the images",
    ),
    "flowers102": _published(
        "flowers102",
        "Flowers102",
        0.35e9,
        "no licence stated, images from the web; cite Nilsback and Zisserman (2008)",
    ),
    "stanford-cars": Offer(
        1.96e9,
        "no licence stated; cite Krause et al. (2013)",
        partial(published.absent_published, Published("stanford-cars")),
        None,
        "its server is gone: from a copy put devkit/ (cars_meta.mat, cars_train_annos.mat), "
        "cars_train/, cars_test/ and cars_test_annos_withlabels.mat into the folder stanford_cars",
    ),
    "domainnet": Offer(
        17.1e9,
        "fair-use notice, for research; cite Peng et al. (2019)",
        partial(domainnet.absent_domainnet, DomainNet()),
        partial(_domainnet, 17.1e9),
        "five domains, read without unpacking",
    ),
    "pacs": Offer(
        0.2e9,
        "no licence stated; cite Li et al. (2017)",
        _pacs_absent,
        None,
        "its authors share it through Google Drive "
        "(https://dali-dl.github.io/project_iccv2017.html): put photo/CLASS/FILE, "
        "art_painting/..., cartoon/... and sketch/... into the folder pacs",
    ),
}


def listing() -> Iterator[str]:
    """The datasets on offer, a line or two each: size, whether it is there, licence, and a note."""
    yield f"data root: {data_root()} (--data-root, or DDIV_DATA)"
    for name, offer in OFFERS.items():
        state = "here" if offer.absent() is None else "by hand" if offer.bring is None else "absent"
        yield f"{name:<13} {offer.size / GIGABYTE:5.2f} GB  {state:<7}  {offer.licence}"
        if offer.note:
            yield f"{'':<13} {offer.note}"


def fetch(name: str) -> str:
    """Bring a dataset below the data root; returns a sentence on it. Raises FetchFailed."""
    if (offer := OFFERS.get(name)) is None:
        raise FetchFailed(f"there is no dataset {name!r} to fetch; there are: {', '.join(OFFERS)}")
    if offer.absent() is None:
        return f"{name} is in {data_root()} already"
    if offer.bring is None:
        raise FetchFailed(f"{name} cannot be fetched, {offer.note} in {data_root()}")
    print(
        one_line(
            f"{name}: {offer.size / GIGABYTE:.2f} GB into {data_root()}. Licence: {offer.licence}"
        ),
        file=sys.stderr,
    )
    try:
        data_root().mkdir(parents=True, exist_ok=True)
        offer.bring()
        if name in published.LAYOUTS:
            published.read(Published(cast(PublishedName, name)))
    except BadData as error:
        raise FetchFailed(str(error)) from error
    except OSError as error:
        raise FetchFailed(
            f"{data_root()} cannot be written ({error.strerror or error}): give another folder "
            "with --data-root"
        ) from error
    return f"{name} is in {data_root()}"
