"""The documentation's commands and snippets: each is run, small, or parsed and said to be not run.

What the tests add to a command makes it small and keeps it in the page's folder: fewer seeds, one
claim where a page asks all of them, no workers, a report and a store of its own.
"""

import argparse
import importlib.util
import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ddiv.cli.main import _parser
from ddiv.plugin.options import TABLE
from ddiv.profiles.study_file import of_file
from ddiv.study import ResNet18, Study
from tests.support import documented
from tests.support.claim_cases import CASES
from tests.support.documented import Block, blocks, name_of
from tests.support.paths import ROOT
from tests.support.shell import Done, Shell, shell

PAGES = documented.pages()
DOCS = [page for page in PAGES if page.is_relative_to(ROOT / "docs")]

# Why a block may be parsed only.
REASONS = ("installs", "a GPU", "the paper's profile", "needs ", "downloads", "takes ", "changes ")
SMALL = ("--seeds", "1", "--max-seeds", "1")
# In place of all claims, where a page asks them all.
FILES = ("claims/test_dropout.py", "claims/test_augmentation.py")
FEW = ("-k", "drop-frobenius and classifier or aug-frobenius and classifier")

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]


def run_blocks(page: Path) -> list[Block]:
    """The blocks of a page that are run: scripts and commands."""
    kinds = {"python", "sh"}
    return [
        block
        for block in blocks(page)
        if block.language in kinds and not block.title and not block.reason
    ]


def birds(folder: Path) -> None:
    """Four species in 120 pictures: of the classes' colours, in noise."""
    rng = np.random.default_rng(1000)
    colours = {"crow": (40, 40, 50), "finch": (200, 180, 60), "jay": (60, 90, 200)}
    for species, colour in (colours | {"robin": (190, 70, 40)}).items():
        (folder / species).mkdir(parents=True)
        for number in range(30):
            pixels = np.clip(rng.normal(colour, 60, (40, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / species / f"{number}.png")


def small(words: list[str]) -> list[str]:
    """A command of pytest or ddiv as the tests run it."""
    if words[0] != "pytest":
        return words
    while "-n" in words:
        del words[(at := words.index("-n")) : at + 2]
    if len(words) == 1 or words[1].startswith("-"):
        words.insert(1, "claims")  # as in the project's folder
    everything = words[1] == "claims" and "-k" not in words
    added = ["-p", "no:cacheprovider", "-p", "ddiv.plugin", "--store=.ddiv"]
    added += ["-p", "no:hypothesispytest"]  # it takes seconds to begin
    added += FEW if everything and "--plan" not in words else ()
    if everything:
        words[1:2] = FILES
    added += SMALL if "--seeds" not in words else ()
    added += ["--report=reports/page.html"] if "--report" not in words else ()
    return [str(ROOT / word) if word in ("claims", *FILES) else word for word in words] + added


def ran(block: Block, folder: Path, started: Shell) -> Iterator[Done]:
    """What became of each command of a block."""
    if block.language == "python":
        (folder / "snippet.py").write_text(block.text, "utf-8")
        yield started.run(folder, "python", "snippet.py")
        return
    for words in documented.commands(block.text):
        assert words[0] in ("pytest", "ddiv"), f"{block.place}: say why {words[0]} is not run"
        at_home = [re.sub("^~", str(folder), word) for word in words]
        yield started.run(folder, *small(at_home))


def test_the_snippets_of_the_pages_run(tmp_path):
    """Each page in a folder of its own, with photographs in ~/data; trials are shared."""
    failed = []
    (tmp_path / "store").mkdir()
    with shell() as started:
        for page in filter(run_blocks, PAGES):
            folder = tmp_path / name_of(page).replace("/", "-")
            birds(folder / "data" / "birds")
            (folder / ".ddiv").symlink_to(tmp_path / "store", target_is_directory=True)
            for name, text in documented.files(page).items():
                (folder / name).write_text(text, "utf-8")
            for block in run_blocks(page):
                failed += [
                    f"{block.place}: {done.code}\n{done.output[-3000:]}"
                    for done in ran(block, folder, started)
                    if done.code
                ]
    assert not failed, "\n\n".join(failed)


def test_a_table_of_a_page_is_a_study(tmp_path, monkeypatch):
    birds(tmp_path / "birds")
    monkeypatch.setenv("DDIV_DATA", str(tmp_path))
    text = documented.files(ROOT / "docs/howto/study.md")["mine.toml"]
    (tmp_path / "mine.toml").write_text(text, "utf-8")
    (study,) = of_file(tmp_path / "mine.toml").studies
    found = study.dropout_rates, study.backbone, study.data.digest != ""
    assert found == ((0.1, 0.3), ResNet18(16), True)


def test_what_is_not_run_says_why():
    parsed = [block for page in PAGES for block in blocks(page) if block.reason]
    assert parsed
    for block in parsed:
        assert block.reason.startswith(REASONS), f"{block.place}: {block.reason}"
        if block.language == "python":
            compile(block.text, block.place, "exec")
    fences = sum(page.read_text("utf-8").count("\n```") for page in PAGES)
    assert fences == 2 * sum(1 for page in PAGES for _ in blocks(page))  # none is overlooked


def named() -> Iterator[tuple[str, list[str]]]:
    """Every command of every page, in blocks and in sentences, with its page."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh" and not block.text.startswith("#!"):
                yield from ((block.place, words) for words in documented.commands(block.text))
        yield from ((name_of(page), words) for words in documented.inline(page))


def test_each_command_names_options_and_files_that_there_are(pytestconfig):
    parser = pytestconfig._parser  # pytest has no public list of its options
    groups = (parser._anonymous, *parser._groups)
    options = {name for group in groups for option in group.options for name in option.names()}
    ids = [f"test_{case.claim.family.replace(' ', '_')}.py::{case}" for case in CASES]
    seen = {place for place, words in named() if known(words, options, ids, place)}
    assert {"README.md", "docs/howto/run.md"} <= seen


def known(words: list[str], options: set[str], ids: list[str], place: str) -> bool:
    """Whether there is such a command; fails on one that there is not."""
    match [words[0].removeprefix(".venv/bin/"), *words[1:]]:
        case ["python" | "python3", "-m", "venv" | "pip" | "pytest" as module, *rest]:
            return module == "venv" or known([module, *rest], options, ids, place)
        case ["ddiv", name]:
            assert name in subcommands() or name == "--help", f"{place}: {words}"
        case ["ddiv", *rest]:
            told = "--help" in rest or _parser().parse_args(rest)  # exits on what it doesn't know
            assert told, f"{place}: {words}"
        case ["pytest", *rest]:
            given = {word.split("=")[0] for word in rest if word.startswith("-")}
            assert given <= options, f"{place}: {words}"
            if "-k" in rest and "--study" not in rest:
                assert selected(rest[rest.index("-k") + 1], ids), f"{place}: {words}"
        case ["pip", "install", *rest]:
            extras = re.findall(r"\[(.*)\]", " ".join(rest))
            assert {name for each in extras for name in each.split(",")} <= set(EXTRAS), place
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module), f"{place}: {words}"
        case ["python", file, *_]:
            assert (ROOT / file).is_file(), f"{place}: {words}"
        case [".ci/run" | ".ci/lint" as file]:
            assert (ROOT / file).is_file()
        case ["." | "cd" | "cp" | "git" | "mkdir" | "pre-commit" | "zensical", *_]:
            pass
        case ["kubectl" | "ray" | "sbatch", *_]:  # a cluster's
            pass
        case _:
            pytest.fail(f"{place}: a command that this test does not know: {words}")
    return True


def subcommands() -> dict[str, argparse.ArgumentParser]:
    """The parsers of `ddiv`'s commands, by name."""
    actions = _parser()._actions
    (found,) = (each for each in actions if isinstance(each, argparse._SubParsersAction))
    return found.choices


def selected(words: str, ids: list[str]) -> list[str]:
    """The tests that `-k words` selects, by the words in their ids."""
    if "$" in words or words.isupper():
        return ids  # a placeholder

    def holds(name: str) -> bool:
        """Whether the words hold of a name, each as True or False."""

        def there(word: re.Match[str]) -> str:
            said = word[0] in ("and", "or", "not")
            return word[0] if said else str(word[0].lower() in name.lower())

        return bool(eval(re.sub(r"[^\s()]+", there, words)))

    return [name for name in ids if holds(name)]


def test_the_page_on_options_has_each():
    told = (ROOT / "docs/reference/options.md").read_text("utf-8")
    assert all(f"| `--{name.replace('_', '-')}" in told for name in TABLE)
    for name, parser in subcommands().items():
        assert f"| `ddiv {name}" in told, name
        if name != "spectra":  # its page is its help
            own = {option for action in parser._actions for option in action.option_strings}
            lines = " ".join(re.findall(rf"^.*`ddiv {name}.*$", told, re.MULTILINE))
            lacking = {each for each in own - {"-h", "--help", "--store"} if each not in lines}
            assert not lacking, f"{name}: {lacking}"
    variables = {
        found
        for path in (ROOT / "ddiv").rglob("*.py")
        for found in re.findall(r"\bDDIV_[A-Z_]+\b", path.read_text("utf-8"))
    }
    assert variables <= {*re.findall(r"DDIV_[A-Z_]+", told)}


def test_the_page_on_studies_has_each_field():
    page = (ROOT / "docs/reference/study.md").read_text("utf-8")
    told = {*re.findall(r"`(\w+)`", page + inspect.getdoc(Study))}
    assert {*Study.__struct_fields__} <= told


def test_the_site_has_each_page_once():
    def files(entry: object) -> Iterator[str]:
        match entry:
            case str():
                yield entry
            case dict():
                yield from files(list(entry.values()))
            case list():
                for each in entry:
                    yield from files(each)

    settings = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    listed = list(files(settings["nav"]))
    assert sorted(listed) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in DOCS)


def test_links_between_pages_lead_somewhere():
    """The site's build checks those within docs; these also lead into and out of it."""
    for page in PAGES:
        text = re.sub(r"```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{name_of(page)}: {target}"


def test_the_readme_is_short_and_begins_with_its_two_commands():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    first, second = re.findall(r"^```sh\n(.*)\n```$", text, re.MULTILINE)[:2]
    assert first.endswith("-m pytest claims -n 4") and second.endswith("-m pytest tests -n 2")
    assert (ROOT / "docs/images/report.png").stat().st_size < 150_000


def test_the_pictures_are_those_that_are_drawn():
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "benchmarks/pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.pictures().items():
        assert (ROOT / "docs/images" / name).read_text("utf-8") == text
