"""Studies of a user's own, from a Python or TOML file."""

from __future__ import annotations

import re
import sys
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from ddiv.common.errors import TrialFailed
from ddiv.common.paths import as_text
from ddiv.profiles import python_file
from ddiv.profiles.checks import checked, closest, require_known, types_hint
from ddiv.profiles.profile import BUILT_IN, Profile
from ddiv.study import Complaints, Images, Own, Study, Tables


class BadStudyFile(ValueError):
    """A file of a user's studies cannot be used.

    `lines` say why, one for each study that is wrong; `rest` holds the others, if there are any.
    """

    def __init__(self, lines: Sequence[str], rest: Profile | None = None) -> None:
        super().__init__("\n".join(lines))
        self.lines, self.rest = tuple(lines), rest


def of_file(path: Path) -> Profile:
    """The studies of a file, as a profile with the file's name.

    A Python file defines STUDY or STUDIES; a TOML file is one study as a table, or several as
    [[studies]]. Raises BadStudyFile.
    """
    if not path.is_file():
        raise BadStudyFile(
            [
                f"there is no file {path}: "
                "give --study a Python file that defines STUDY = ddiv.study.Study(...)"
            ]
        )
    try:
        described = _of_toml(path) if path.suffix == ".toml" else _of_python(path)
        if not described:
            raise ValueError("it describes no study")
        if path.stem in BUILT_IN:
            raise ValueError(
                f"the ledger and the report know the profile {path.stem!r} of ddiv's own by this "
                "name, so rename the file"
            )
    except Exception as error:
        raise BadStudyFile([_told(path, error)]) from error
    studies: list[Study] = []
    wrong: list[tuple[str, Exception]] = []
    for made in described:
        name = made.name if isinstance(made, Study) else str(made.get("name", ""))
        try:
            study = _pinned(checked(made if isinstance(made, Study) else _of_table(made)))
            _require_new(study, studies)
            studies.append(study)
        except Exception as error:
            where = f"the study {name}: " if name and len(described) > 1 else ""
            wrong.append((_told(path, error, where), error))
    title = f"Studies of {as_text(path.name)}"
    profile = Profile(as_text(path.stem), title, tuple(studies), seeds=3, max_seeds=7)
    if wrong:
        rest = profile if studies else None
        raise BadStudyFile([line for line, _ in wrong], rest) from wrong[0][1]
    return profile


def _told(path: Path, error: Exception, where: str = "") -> str:
    unknown = re.search(r"Unexpected keyword argument '(\w+)'", str(error))
    hint = closest(unknown[1]) if unknown else ""
    if lacking := re.match(r"cannot import name '(\w+)' from '(ddiv[\w.]*)'", str(error)):
        hint = closest(
            lacking[1], [name for name in dir(sys.modules[lacking[2]]) if name[0] != "_"]
        )
    kind = "" if isinstance(error, (ValueError, TrialFailed)) else f"{type(error).__name__}: "
    return f"{path} cannot be used: {where}{kind}{error}{hint}"


def _require_new(study: Study, others: Iterable[Study]) -> None:
    name, *names = (
        unicodedata.normalize("NFKC", each.name).casefold() for each in (study, *others)
    )
    if name in names:
        raise ValueError("two of its studies have the same name, or names that -k takes for one")


def _pinned(study: Study) -> Study:
    """The study with its data named by a digest, where it names a folder or a file by its place.

    The keys of records never hold places. Domains that it does not name are those of its data.
    """
    match study.data:
        case Images() as images:
            from ddiv.data.folder import pinned as pinned_folder

            data = pinned_folder(images)
            return msgspec.structs.replace(study, data=data, domains=data.test_domains)
        case Own() as own if not study.domains:
            from ddiv.data.load import load

            return msgspec.structs.replace(study, domains=tuple(load(own).tests))
        case Complaints() as complaints:
            from ddiv.data.complaints import pinned as pinned_file

            return msgspec.structs.replace(study, data=pinned_file(complaints))
        case Tables() as tables:
            from ddiv.data.tables import pinned as pinned_tables

            return msgspec.structs.replace(study, data=pinned_tables(tables))
    return study


def _of_python(path: Path) -> tuple[Study, ...]:
    try:
        names = python_file.run(path)
    except SystemExit as error:
        raise ValueError("it ends the program by sys.exit") from error
    studies = names.get("STUDIES", names.get("STUDY"))
    if isinstance(studies, Study):
        return (studies,)
    if (
        not isinstance(studies, (tuple, list))
        or not studies
        or not all(isinstance(study, Study) for study in studies)
    ):
        others = [name for name, value in names.items() if isinstance(value, Study)]
        hint = f" (rename `{others[0]}`, which is one)" if others and studies is None else ""
        raise ValueError(
            f"it defines neither STUDY, a ddiv.study.Study, nor STUDIES, a tuple of them{hint}"
        )
    return tuple(studies)


def _of_toml(path: Path) -> Sequence[Mapping[str, object]]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin files with a mark
    except UnicodeDecodeError as error:
        raise ValueError(f"TOML is UTF-8, and its byte {error.start} is not: save it so") from error
    tables = content.get("studies", [content])
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise ValueError("`studies` are tables, each with the head [[studies]]")
    return tables


def _of_table(table: Mapping[str, object]) -> Study:
    try:
        study = msgspec.convert(table, Study)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}{types_hint(str(error))}") from error
    require_known(table, study)
    return study
