"""Damaged bytes in every kind of file that a store or a cache holds."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from tests.campaign import judge, seen
from tests.campaign.bench import Bench, Round
from tests.campaign.judge import TOLD, Fault
from tests.campaign.scene import Right, Scene
from tests.campaign.target import Done, words

NO_TABLES = {"trials", "runs", "locks", "drafts"}


def record(bench: Bench) -> Round:
    """Records: the text, the arrays, the mark that says that they are whole."""
    kind = bench.rng.choice(("pictures", "answers"))
    round, scene, right = Round(), bench.copy(kind), bench.right[kind]
    stored = sorted(scene.store.glob("trials/*/*"))
    damaged = damage(bench.rng, stored, bench.rng.choice((1, 1, 2, 5)), round)
    keys = {path.parent.name for path in damaged}
    listed = _reported(scene, right, round, damaged)
    before = seen.finished(scene.store)
    done = round.ended(scene.run(workers=0))
    round.faults += judge.of_page(scene.page(), right.page, done, flipped=True)
    round.faults += judge.of_records(scene.store, before, keys)
    # Samples that were measured already are read by `ddiv trials` alone.
    if not any(key in done.text + listed.text for key in keys):
        again = [key for key in keys if seen.trained(scene.store)[key] > 1]
        text = f"nothing told of {_names(damaged)}" + (", trained again" if again else "")
        round.faults.append(Fault("unnoticed flip", text))
    _reported(scene, right, round, damaged, pytest_told=bool(TOLD.search(done.text)))
    return round


def derived(bench: Bench) -> Round:
    """Tables that are derived from records and kept beside them: they are made anew, or read as
    they were; no verdict changes.
    """
    round, scene, right = Round(), bench.copy("pictures"), bench.right["pictures"]
    tables = [
        path
        for folder in sorted(scene.store.iterdir())
        if folder.name not in NO_TABLES
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    damaged = damage(bench.rng, tables, bench.rng.choice((1, 5, len(tables))), round)
    _reported(scene, right, round, damaged)
    if bench.rng.random() < 0.5:
        done = round.ended(scene.run(workers=0))
        round.faults += judge.of_page(scene.page(), right.page, done, flipped=True)
    return round


def run_files(bench: Bench) -> Round:
    """What a run leaves: run.json, plan.json, the questions, the journal, notes of workers."""
    kind = bench.rng.choice(("pictures", "answers"))
    round, scene, right = Round(), bench.copy(kind), bench.right[kind]
    files = [path for path in sorted(scene.store.glob("runs/**/*")) if _has_content(path)]
    kinds = sorted({_kind(path) for path in files})
    chosen = bench.rng.choice(kinds)
    damaged = damage(bench.rng, [path for path in files if _kind(path) == chosen], 1, round)
    _reported(scene, right, round, damaged)
    if bench.rng.random() < 0.2:
        done = round.ended(scene.run(workers=0))
        round.faults += judge.of_end(scene.page(), right.page, done)
    return round


def locks(bench: Bench) -> Round:
    """Lock files: filled, cut off, deleted; then a record is made again that needs them."""
    round, scene, right = Round(), bench.copy("pictures"), bench.right["pictures"]
    files = sorted(path for path in scene.store.glob("locks/*") if path.is_file())
    for path in files:
        if bench.rng.random() < 0.3:
            path.unlink()
        else:
            path.write_bytes(bench.rng.randbytes(bench.rng.choice((1, 30, 5000))))
        round.did["lock files damaged"] += 1
    keys = bench.rng.sample(sorted(seen.finished(scene.store)), 3)
    for key in keys:
        shutil.rmtree(scene.store / "trials" / key)
    before = seen.finished(scene.store)
    done = round.ended(scene.run(workers=2))
    round.faults += judge.of_end(scene.page(), right.page, done)
    round.faults += judge.of_records(scene.store, before, keys)
    return round


def pictures(bench: Bench) -> Round:
    """The cache of decoded images, before a run that trains on it."""
    round, scene, right = Round(), bench.copy("pictures", "cache"), bench.right["pictures"]
    images = sorted(scene.cache.rglob("*.npy"))
    damage(bench.rng, images, len(images), round)
    done = round.ended(scene.run())
    round.faults += judge.of_page(scene.page(), right.page, done, flipped=True)
    return round


def answers(bench: Bench) -> Round:
    """The cache of paid answers, before a run that draws its samples from them."""
    round, scene, right = Round(), bench.copy("answers", "cache"), bench.right["answers"]
    files = sorted(path for path in scene.cache.glob("*/*.json") if path.is_file())
    paid = sum(bench.server.paid.values())
    damaged = damage(bench.rng, files, bench.rng.choice((1, 5, 20)), round)
    done = round.ended(scene.run())
    round.faults += judge.of_page(scene.page(), right.page, done, flipped=True)
    asked = sum(bench.server.paid.values()) - paid
    if asked > len(damaged):
        text = f"{len(damaged)} of {len(files)} answers were damaged, {asked} were paid for again"
        round.faults.append(Fault("lost", text))
    return round


def damage(rng: random.Random, files: list[Path], count: int, round: Round) -> list[Path]:
    """Damage some of these files, each in a way of its own; returns them."""
    files = [path for path in files if path.stat().st_size]
    chosen = rng.sample(files, min(count, len(files)))
    for path in chosen:
        way = rng.choice((*("bit",) * 6, "zeros", "cut", "empty", "gone", "noise", "other"))
        text = path.read_bytes()
        place = rng.randrange(max(1, len(text)))
        match way:
            case "bit" if text:
                flipped = text[place] ^ 1 << rng.randrange(8)
                text = text[:place] + bytes([flipped]) + text[place + 1 :]
            case "zeros":
                length = rng.choice((1, 8, 512, len(text)))
                text = (
                    text[:place]
                    + b"\0" * len(text[place : place + length])
                    + text[place + length :]
                )
            case "cut":
                text = text[:place]
            case "empty" | "bit":
                text = b""
            case "noise":
                text = text + rng.randbytes(rng.choice((1, 100)))
            case "other":
                text = rng.choice(files).read_bytes()
        if way == "gone":
            path.unlink()
        else:
            path.write_bytes(text if text != path.read_bytes() else text[:-1])
        round.did[f"damaged: {_kind(path)}"] += 1
        round.note += f" {way} {path.parent.name}/{path.name}@{place}"
    return chosen


def _reported(
    scene: Scene, right: Right, round: Round, damaged: list[Path], pytest_told: bool | None = None
) -> None:
    """`ddiv report`, `ledger` and `trials` on a damaged store. `pytest_told`: whether the newest
    run, which they report, told of errors; None where it is the run before the damage.
    """
    out = scene.folder / "report.html"
    out.unlink(missing_ok=True)
    done = round.ended(scene.ddiv("report", "--out", str(out)))
    page = scene.page("report.html")
    found = judge.of_page(page, right.page, done, flipped=True)
    if not found and page and pytest_told is None and not TOLD.search(done.text):
        whole = all(
            judge.has_verdict(row) == judge.has_verdict(right.page.rows.get(name, row))
            for name, row in page.rows.items()
        )
        if whole and (change := _difference(right.scene.folder / "report.html", out)):
            found = [Fault("unnoticed flip", f"{_names(damaged)}: {words(done.command)}: {change}")]
    round.faults += found
    changes = round.ended(scene.ddiv("ledger", "--changes"))
    if any(more > most for more, most in zip(_counts(changes), _counts_of(right.changes))):
        text = f"{_names(damaged)}: ledger --changes counts {_counts(changes)}, undisturbed are "
        text += f"{_counts_of(right.changes)}:\n{changes.text[-800:]}"
        round.faults.append(Fault("verdict from an error", text))
    proposed = round.ended(scene.ddiv("ledger", "--propose"))
    if pytest_told:
        round.faults += [
            Fault("unnoticed flip", f"{words(one.command)} says nothing of {_names(damaged)}")
            for one, usual in ((changes, right.changes), (proposed, right.proposed))
            if len(TOLD.findall(one.text)) <= len(TOLD.findall(usual))
        ]
    return round.ended(scene.ddiv("trials"))


def _difference(right: Path, out: Path) -> str:
    """The first place where two pages of the same run say different things; "" where there is
    none.
    """
    texts = [
        re.sub(r"<time [^>]*>[^<]*</time>", "", path.read_text(errors="replace"), count=1)
        for path in (right, out)
    ]
    if texts[0] == texts[1]:
        return ""
    place = next(
        (i for i, pair in enumerate(zip(*texts)) if pair[0] != pair[1]), min(map(len, texts))
    )
    usual, shown = (text[max(0, place - 60) : place + 60] for text in texts)
    return f"{shown!r} in place of {usual!r}"


def _counts(done: Done) -> tuple[int, ...]:
    return _counts_of(done.text)


def _counts_of(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+) supported, (\d+) contradicted, (\d+) inconclusive", text)
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def _has_content(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _kind(path: Path) -> str:
    """The kind of a file: its name, or its folder's where names are keys."""
    if path.suffix == ".npy":
        return "decoded images"
    if len(path.stem) == 64:
        return "paid answers"
    by_key = re.match("[0-9a-f]{16}", path.name) or path.parent.name in ("working", "at-tests")
    return f"{path.parent.name}/*" if by_key else path.name


def _names(paths: list[Path]) -> str:
    return ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:5])
