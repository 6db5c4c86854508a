"""Downloads from a loopback server that breaks off, lies and refuses; and `ddiv fetch`."""

import contextlib
import hashlib
import io
import pickle
import re
import socket
import tarfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
from torchvision import datasets

from ddiv.cli import main as cli
from ddiv.data import download as downloads
from ddiv.data import fetch as fetching
from ddiv.data import published
from ddiv.data.download import FetchFailed, Remote, download
from ddiv.data.fetch import DOMAINNET, OFFERS
from ddiv.study import Published
from tests.support.flushes import watch_flushes
from tests.support.image_files import fresh_root

CONTENT = bytes(np.random.default_rng(0).integers(0, 256, 300_000, dtype=np.uint8))
MD5 = hashlib.md5(CONTENT).hexdigest()


class Server:
    """Serves files by path, with ranges.

    A plan says of each request in turn how it fails: "" not at all, "ignore" the range, "cut" after
    a third of what was asked (both may be said), "shift" the range by one, or a status.
    """

    def __init__(self, files: dict[str, bytes], plan: Callable[[int], str] = lambda place: ""):
        self.files, self.plan, self.ranges = files, plan, []

    def __enter__(self):
        self.http = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"state": self})
        )
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        fault = self.state.plan(len(self.state.ranges))
        self.state.ranges.append(asked)
        content = self.state.files.get(self.path.lstrip("/"))
        if content is None or fault.isdigit():
            self.send_error(int(fault or 404))
            return
        start = (
            int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and "ignore" not in fault else 0
        )
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        start += fault == "shift"
        body = content[start:]
        self.send_response(206 if asked and "ignore" not in fault else 200)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 3] if "cut" in fault else body)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def room(monkeypatch):
    """Real datasets are named here and small files come, whatever this machine's disk has free."""
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**15))


def plan(*faults: str) -> Callable[[int], str]:
    return lambda place: faults[place] if place < len(faults) else ""


def bring(folder, server: Server, md5: str = MD5) -> bytes:
    download(Remote(f"{server.url}/a.zip", md5), folder / "deep" / "a.zip")
    return (folder / "deep" / "a.zip").read_bytes()


# --- one file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults, ranges",
    [
        ((), [None]),
        (("cut",), [None, "bytes=100000-"]),
        (("cut", "cut"), [None, "bytes=100000-", "bytes=166666-"]),
        (("cut", "ignore"), [None, "bytes=100000-"]),
        (("cut", "shift"), [None, "bytes=100000-", None]),
        (("503", "429", "cut"), [None, None, None, "bytes=100000-"]),
        (("cut", "503"), [None, "bytes=100000-", "bytes=100000-"]),
    ],
)
def test_a_broken_download_goes_on_where_it_broke(tmp_path, faults, ranges):
    with Server({"a.zip": CONTENT}, plan(*faults)) as server:
        assert bring(tmp_path, server) == CONTENT and server.ranges == ranges
        bring(tmp_path, server)
    assert server.ranges == ranges and [path.name for path in (tmp_path / "deep").iterdir()] == [
        "a.zip"
    ]


@pytest.mark.parametrize(
    "left, ranges",
    [(1000, ["bytes=1000-"]), (300_000, ["bytes=300000-"]), (300_001, ["bytes=300001-", None])],
)
def test_what_an_earlier_run_left_is_taken_up(tmp_path, left, ranges):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.zip.part").write_bytes((CONTENT + b"x")[:left])
    with Server({"a.zip": CONTENT}) as server:
        assert bring(tmp_path, server) == CONTENT and server.ranges == ranges


def test_a_beginning_beside_the_whole_file_is_deleted(tmp_path):
    with Server({"a.zip": CONTENT}) as server:
        assert bring(tmp_path, server) == CONTENT
        (tmp_path / "deep" / "a.zip.part").write_bytes(CONTENT[:100])
        assert bring(tmp_path, server) == CONTENT
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.zip"]


def test_a_wrong_checksum_leaves_nothing(tmp_path):
    told = f"has the MD5 {MD5}, and {'0' * 32} is right"
    with Server({"a.zip": CONTENT}) as server, pytest.raises(FetchFailed, match=told):
        bring(tmp_path, server, "0" * 32)
    assert not [*(tmp_path / "deep").iterdir()]


def test_what_is_left_of_another_file_is_found_out_and_brought_anew(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.zip.part").write_bytes(b"x" * 1000)
    with Server({"a.zip": CONTENT}) as server:
        with pytest.raises(FetchFailed, match="fetch it again"):
            bring(tmp_path, server)
        assert bring(tmp_path, server) == CONTENT


def test_a_server_that_always_breaks_off_is_given_up_and_what_came_is_kept(tmp_path):
    with (
        Server({"a.zip": CONTENT}, lambda place: "503" if place else "cut") as server,
        pytest.raises(FetchFailed, match=r"does not come .503 Service Unavailable.* are kept"),
    ):
        bring(tmp_path, server)
    assert len(server.ranges) == 1 + downloads.ATTEMPTS
    assert (tmp_path / "deep" / "a.zip.part").read_bytes() == CONTENT[:100_000]


def test_a_file_that_always_breaks_off_at_one_place_is_given_up(tmp_path):
    with (
        Server({"a.zip": CONTENT}, lambda place: "ignore cut") as server,
        pytest.raises(FetchFailed, match=r"does not come .the connection breaks off"),
    ):
        bring(tmp_path, server)
    assert len(server.ranges) == 1 + downloads.ATTEMPTS


def test_a_file_that_the_server_has_not_is_told_at_once(tmp_path):
    with (
        Server({}) as server,
        pytest.raises(
            FetchFailed, match=r"refuses .*a.zip .404 Not Found.: look for the file elsewhere"
        ),
    ):
        bring(tmp_path, server)
    assert len(server.ranges) == 1


def test_a_server_that_is_not_there_is_told(tmp_path):
    with Server({}) as server:
        pass
    with pytest.raises(FetchFailed, match=r"does not come .*Connect call failed"):
        bring(tmp_path, server)


def test_a_file_of_that_name_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.zip").write_bytes(b"mine")
    with Server({"a.zip": CONTENT}) as server, pytest.raises(FetchFailed, match="move it away"):
        bring(tmp_path, server)
    assert (tmp_path / "deep" / "a.zip").read_bytes() == b"mine" and not server.ranges


def test_a_disk_without_room_is_told_before_anything_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    told = r"are needed in .*--data-root"
    with Server({"a.zip": CONTENT}) as server, pytest.raises(FetchFailed, match=told):
        bring(tmp_path, server)
    assert not (tmp_path / "deep" / "a.zip.part").exists()


def test_progress_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "PROGRESS_SECONDS", 0.0)
    with Server({"a.zip": CONTENT}) as server:
        bring(tmp_path, server)
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("a.zip: 100% of 0.00 GB, ") and "MB/s" in said[0]
    assert all(line.startswith("a.zip: ") for line in said)


# --- servers that are no friends ------------------------------------------------------------------


def listening(answer: Callable[[socket.socket], None]):
    """A server on the loopback that does this with every connection; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    answer(connection)

    threading.Thread(target=serve, daemon=True).start()
    return listener


def redirecting(where: str) -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nConnection: close\r\n"
    return lambda connection: connection.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())


def saying(head: bytes, then: Callable[[socket.socket], None] = lambda connection: None):
    def answer(connection):
        connection.sendall(head)
        then(connection)

    return answer


def forever(block: bytes, pause: float = 0.0):
    def send(connection):
        while True:
            connection.sendall(block)
            time.sleep(pause)

    return send


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer, said",
    [
        (redirecting("file:///etc/passwd"), "does not come .*protocol"),
        (redirecting("ftp://127.0.0.1/a.zip"), "does not come .*protocol"),
        (redirecting("http://[::1/a.zip"), "does not come"),
        (redirecting("http://host:port/a.zip"), "does not come"),
        (redirecting("/again"), "does not come .*redirects"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "does not come"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "does not come"),
        (saying(OK + b"Content-Length: 99999999999999999999\r\n\r\n"), "more than 0.00 GB"),
        (saying(OK + b"\r\n", forever(b"x" * 65536)), "more than 0.00 GB"),
        (
            saying(
                OK + b"Transfer-Encoding: chunked\r\n\r\n",
                forever(b"4000\r\n" + b"x" * 16384 + b"\r\n"),
            ),
            "more than 0.00 GB",
        ),
        (saying(OK + b"Content-Length: 300000\r\n\r\n", forever(b"x", 0.01)), "less than 64 kB"),
        (saying(OK, forever(b"X-Slow: 1\r\n", 0.05)), "less than 64 kB"),
        (saying(b"", lambda connection: time.sleep(1)), "less than 64 kB"),
        (saying(b"\x16\x03\x01 not HTTP at all\r\n\r\n"), "does not come"),
        (saying(b"HTTP/1.1 204 No Content\r\n\r\n"), "refuses .*204 No Content"),
    ],
)
def test_a_hostile_server_is_one_clear_error_and_leaves_nothing_behind_the_name(
    tmp_path, monkeypatch, answer, said
):
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    monkeypatch.setattr(downloads, "LARGEST", 1e6)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with listening(answer) as listener:
        remote = Remote(f"http://127.0.0.1:{listener.getsockname()[1]}/a.zip", MD5)
        with pytest.raises(FetchFailed, match=said):
            download(remote, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


@pytest.mark.parametrize("url", ["http://[::1/a", "http://host:port/a", "http://a\x01/a", "a.zip"])
def test_an_address_that_is_none_is_told(tmp_path, monkeypatch, url):
    monkeypatch.setattr(downloads, "ATTEMPTS", 1)
    with pytest.raises(FetchFailed, match="does not come"):
        download(Remote(url, MD5), tmp_path / "a.zip")


def test_a_file_without_a_length_is_brought(tmp_path):
    def whole(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + CONTENT)

    with listening(whole) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a.zip"
        download(Remote(url, MD5), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_file_is_on_the_disk_under_its_name(tmp_path, monkeypatch):
    flushed = watch_flushes(monkeypatch)
    with Server({"a.zip": CONTENT}) as server:
        bring(tmp_path, server)
    assert flushed[-2:] == [tmp_path / "deep" / "a.zip", tmp_path / "deep"]


@pytest.mark.parametrize("name", ["cifar10", "imagenette", "flowers102", "domainnet"])
def test_a_server_that_is_not_there_is_told_in_seconds(root, monkeypatch, capsys, name):
    """Neither name nor address is asked for twice, and a resolver that never answers is left."""
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(downloads, "getproxies", dict)
    asked = []

    def silent(address, timeout):
        asked.append(address)
        time.sleep(1.0 if name == "cifar10" else 0)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", silent)
    began = time.monotonic()
    assert cli.main(["fetch", name]) == 1
    said = capsys.readouterr().err
    assert time.monotonic() - began < 3 and len(asked) == 1
    assert asked[0][0] in said and "cannot be reached" in said and "has no network" in said
    assert ("no answer in 0 s" if name == "cifar10" else "Temporary failure") in said


def test_behind_a_proxy_the_server_itself_is_not_asked(monkeypatch):
    monkeypatch.setattr(downloads, "getproxies", lambda: {"https": "http://proxy:3128"})
    downloads.require_server("https://nowhere.invalid/file")


def test_torchvision_waits_for_a_silent_server_no_longer_than_others(root, monkeypatch, capsys):
    monkeypatch.setattr(fetching, "SILENCE_SECONDS", 0.2)
    usual = socket.getdefaulttimeout()
    with listening(lambda connection: time.sleep(2)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/cifar-10-python.tar.gz"
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        assert cli.main(["fetch", "cifar10"]) == 1
    assert "torchvision could not bring CIFAR10 (TimeoutError" in capsys.readouterr().err
    assert socket.getdefaulttimeout() == usual


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path, monkeypatch):
    return fresh_root(tmp_path, monkeypatch)


def test_without_a_name_all_are_listed(root, capsys):
    (root / "pacs").mkdir()
    assert cli.main(["fetch"]) == 0
    said = capsys.readouterr().out
    assert str(root) in said
    states = {"pacs": "here", "stanford-cars": "by hand"}
    for name in OFFERS:
        assert re.search(
            rf"^{name} +\d+\.\d\d GB  {states.get(name, 'absent')} ", said, re.MULTILINE
        )


@pytest.mark.parametrize(
    "name, said",
    [
        ("mnist", "no dataset 'mnist' .*cifar10"),
        ("pacs", "by hand|Google Drive"),
        ("stanford-cars", "cannot be fetched.*devkit"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(root, capsys, name, said):
    assert cli.main(["fetch", name, "--data-root", str(root)]) == 1
    told = capsys.readouterr().err
    assert re.fullmatch(f"ddiv: .*({said}).*\n", told)


def test_domainnet_is_brought_file_by_file(root, monkeypatch, capsys):
    files = {
        one.url.removeprefix(fetching.SERVER + "/"): one.url.encode() * 100 for one in DOMAINNET
    }
    with Server(files, plan("", "cut", "", "503")) as server:
        monkeypatch.setattr(
            fetching,
            "DOMAINNET",
            tuple(
                Remote(f"{server.url}/{path}", hashlib.md5(content).hexdigest())
                for path, content in files.items()
            ),
        )
        assert cli.main(["fetch", "domainnet", "--data-root", str(root / "other")]) == 0
        came = {path.name: path.read_bytes() for path in (root / "other" / "domainnet").iterdir()}
        assert came == {path.rsplit("/", 1)[-1]: content for path, content in files.items()}
        asked = len(server.ranges)
        assert (
            cli.main(["fetch", "domainnet", "--data-root", str(root / "other")]) == 0
            and len(server.ranges) == asked
        )
    assert "already" in capsys.readouterr().out


def cifar_archive(monkeypatch) -> bytes:
    """The archive of a CIFAR-10 of six images, whose checksums torchvision is told."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    files = {
        name: pickle.dumps(
            {"labels": [number % 2], "data": np.full((1, 3072), number, np.uint8)}, 2
        )
        for number, name in enumerate(names)
    }
    files["batches.meta"] = pickle.dumps({"label_names": ["a", "b"]}, 2)
    lists = [[name, hashlib.md5(files[name]).hexdigest()] for name in names]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", lists[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", lists[5:])
    monkeypatch.setattr(
        datasets.CIFAR10,
        "meta",
        {
            "filename": "batches.meta",
            "key": "label_names",
            "md5": hashlib.md5(files["batches.meta"]).hexdigest(),
        },
    )
    monkeypatch.setitem(
        published.LAYOUTS, "cifar10", published.LAYOUTS["cifar10"]._replace(train=5, test=1)
    )
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(packed.getvalue()).hexdigest())
    return packed.getvalue()


@pytest.mark.parametrize(
    "damage, status, said",
    [
        (lambda whole: whole, 0, "cifar10 is in"),
        (lambda whole: whole[:-20], 1, "torchvision could not bring CIFAR10"),
        (lambda whole: whole[:-1] + b"x", 1, "torchvision could not bring CIFAR10"),
    ],
)
def test_cifar_is_brought_and_checked_by_torchvision(
    root, monkeypatch, capsys, damage, status, said
):
    packed = cifar_archive(monkeypatch)
    with Server({"cifar-10-python.tar.gz": damage(packed)}) as server:
        monkeypatch.setattr(datasets.CIFAR10, "url", f"{server.url}/cifar-10-python.tar.gz")
        assert cli.main(["fetch", "cifar10"]) == status
    told = capsys.readouterr()
    assert said in told.out + told.err and "Licence" in told.err
    assert (published.absent_published(Published("cifar10")) is None) == (status == 0)


def test_the_checksums_are_md5s_and_every_archive_has_its_lists():
    names = [one.url.rsplit("/", 1)[1] for one in DOMAINNET]
    assert len({one.md5 for one in DOMAINNET}) == len(names) == 11
    assert all(re.fullmatch("[0-9a-f]{32}", one.md5) for one in DOMAINNET)
    assert {
        f"{name}_test.txt" for name in ("real", "clipart", "infograph", "painting", "sketch")
    } < {*names}
