"""Pages while a run goes on: what they answer, what they cost, and that no fuller page is lost."""

import shutil
import time
from pathlib import Path

import msgspec
import pytest

from ddiv.finding import Reader
from ddiv.plugin.live import SHARE, LivePage
from ddiv.plugin.session import Session
from ddiv.report.gather import counted, write
from ddiv.report.live import Live
from ddiv.report.where import beside_fuller
from ddiv.run import planned
from ddiv.run import run as runs
from ddiv.run.crew import Crew
from tests.support.parsed_page import Parsed
from tests.support.smoke import PROFILE
from tests.support.troubled import FAILED, FINE, KILLED, RUN, STRONG, asked, folder_of, store_of_run

LATER = asked("later", STRONG, order=3)
PLANNED = (FINE, FAILED, KILLED, LATER)


@pytest.fixture
def store(tmp_path):
    """Of a run that goes on: all records are there, and one test has not begun."""
    made = store_of_run(tmp_path / "store")
    planned.save(made, RUN.id, PLANNED)
    return made


def verdicts(page) -> dict[str, str]:
    return {claim.id: claim.findings[0].verdict for claim in page.claims}


def test_every_question_whose_records_are_there_is_answered(store):
    live = Live(store, RUN)
    live.look()
    page = live.page(61.0, 60.0, lambda: True)
    # A test that trains still and one that has not begun are answered as what is there says.
    assert verdicts(page) == {
        "fine": "contradicted",
        "failed": "error",
        "killed": "contradicted",
        "later": "contradicted",
    }
    assert (page.progress.answered, page.progress.asked) == (4, 4)
    shutil.move(folder_of(store, STRONG, 0), store.root / "away")
    later = Live(store, RUN)
    later.look()
    assert verdicts(later.page(61.0, 60.0, lambda: True)) == {
        "fine": "not run",
        "failed": "error",
        "killed": "contradicted",
        "later": "not run",
    }


def test_what_is_answered_is_not_answered_again(store, monkeypatch):
    live = Live(store, RUN)
    live.look()
    first = live.page(61.0, 60.0, lambda: True)

    def settled(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr("ddiv.report.live.settled", settled)
    runs.save_asked(store, RUN.id, msgspec.structs.replace(FAILED, error=None))
    live.look()
    second = live.page(120.0, 60.0, lambda: False)  # nor is anything begun without time left
    assert verdicts(second) == verdicts(first) | {"failed": "not run"}


def test_a_page_in_progress_says_how_far_the_run_is(store, tmp_path):
    session = Session(store, PROFILE, RUN, crew(store), Reader(store), tmp_path / "page.html")
    writer = LivePage(session, first=0.01)
    writer.start()
    wait_for(tmp_path / "page.html")
    writer.stop()
    page = Parsed((tmp_path / "page.html").read_text("utf-8"))
    assert "The run goes on: 4 of 4 questions answered, 0 of 0 trials measured" in page.text
    (banner,) = page.all("div", class_="progress")
    assert int(banner["data-again"]) >= 1
    assert not [name for name in tmp_path.iterdir() if name.name.startswith(".")]
    before = (tmp_path / "page.html").stat().st_mtime_ns
    write(store, RUN.id, tmp_path / "page.html")  # the page at the end has no banner
    assert (tmp_path / "page.html").stat().st_mtime_ns > before
    assert not Parsed((tmp_path / "page.html").read_text("utf-8")).all("div", class_="progress")


def test_pages_cost_a_small_share_of_the_time(store, tmp_path):
    begun = msgspec.structs.replace(RUN, started=time.time() - 100)
    session = Session(store, PROFILE, begun, crew(store), Reader(store), tmp_path / "page.html")
    writer = LivePage(session)
    writer.spent = 2.0
    wait = writer._wait(3.0)
    assert (2.0 + 3.0) / (session.seconds + wait) == pytest.approx(SHARE, rel=1e-3)
    assert writer._wait(0.0) >= writer.first and SHARE < 0.02


def test_what_goes_wrong_does_not_end_the_thread(store, tmp_path):
    (tmp_path / "page.html").mkdir()
    session = Session(store, PROFILE, RUN, crew(store), Reader(store), tmp_path / "page.html")
    writer = LivePage(session, first=0.01)
    writer.start()
    time.sleep(0.3)
    (tmp_path / "page.html").rmdir()
    writer._wait = lambda cost: 0.01
    wait_for(tmp_path / "page.html")
    writer.stop()


def crew(store) -> Crew:
    return Crew(store, runs.folder(store, RUN.id), lambda *_: None)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.is_file() and time.monotonic() < until:
        time.sleep(0.02)
    assert path.is_file()


# --- where pages go -------------------------------------------------------------------------------


def test_a_run_of_a_part_leaves_a_fuller_page(store, tmp_path):
    page = tmp_path / "smoke.html"
    every, part = (runs.names_asked(store, RUN.id), [runs.name_of(FINE.test)])
    assert beside_fuller(store, "another", part, page) == page  # nothing is there
    write(store, RUN.id, page)
    assert beside_fuller(store, "another", part, page) == tmp_path / "smoke-part.html"
    assert beside_fuller(store, "another", every, page) == page
    assert beside_fuller(store, RUN.id, part, page) == page  # its own page
    more = [*every[:2], runs.name_of("claims/test_new.py::test")]
    assert beside_fuller(store, "another", more, page) == page  # other questions, not fewer
    shutil.rmtree(runs.folder(store, RUN.id))  # then numbers tell
    assert beside_fuller(store, "another", part, page) == tmp_path / "smoke-part.html"
    page.write_text("a page of another hand")
    assert beside_fuller(store, "another", part, page) == page


def test_a_run_keeps_its_counts_and_versions(store, tmp_path):
    shown = write(store, RUN.id, tmp_path / "page.html")
    runs.save_counts(store, RUN.id, counted(shown))
    noted = runs.load(store, RUN.id)
    assert noted.counts == {"contradicted": 1, "error": 1, "not run": 1}
    assert noted.versions["numpy"] and noted.id == RUN.id
