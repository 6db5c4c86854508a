"""Studies of a user's own, from a Python or TOML file."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path

import msgspec

from ddiv.common.paths import as_text
from ddiv.profiles import python_file
from ddiv.profiles.checks import checked, closest, require_known, types_hint
from ddiv.profiles.profile import BUILT_IN, Profile
from ddiv.study import Complaints, Images, Study


class BadStudyFile(ValueError):
    """A file of a user's studies cannot be used; the message says why."""


def of_file(path: Path) -> Profile:
    """The studies of a file, as a profile with the file's name.

    A Python file defines STUDY or STUDIES; a TOML file is one study as a table, or several as
    [[studies]]. Raises BadStudyFile.
    """
    if not path.is_file():
        raise BadStudyFile(
            f"there is no file {path}: "
            "give --study a Python file that defines STUDY = ddiv.study.Study(...)"
        )
    try:
        studies = _of_toml(path) if path.suffix == ".toml" else _of_python(path)
        studies = tuple(_pinned(checked(study)) for study in studies)
        if not studies:
            raise ValueError("it describes no study")
        names = {unicodedata.normalize("NFKC", study.name).casefold() for study in studies}
        if len(names) < len(studies):
            raise ValueError(
                "two of its studies have the same name, or names that -k takes for one"
            )
        if path.stem in BUILT_IN:
            raise ValueError(
                f"the ledger and the report know the profile {path.stem!r} of ddiv's own by this "
                "name, so rename the file"
            )
    except Exception as error:
        unknown = re.search(r"Unexpected keyword argument '(\w+)'", str(error))
        hint = closest(unknown[1]) if unknown else ""
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise BadStudyFile(f"{path} cannot be used: {kind}{error}{hint}") from error
    title = f"Studies of {as_text(path.name)}"
    return Profile(as_text(path.stem), title, studies, seeds=3, max_seeds=7)


def _pinned(study: Study) -> Study:
    """The study with its data named by a digest, where it names a folder or a file by its place.

    The keys of records never hold places.
    """
    match study.data:
        case Images() as images:
            from ddiv.data.folder import pinned as pinned_folder

            return msgspec.structs.replace(study, data=pinned_folder(images))
        case Complaints() as complaints:
            from ddiv.data.complaints import pinned as pinned_file

            return msgspec.structs.replace(study, data=pinned_file(complaints))
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
        raise ValueError(
            "it defines neither STUDY, a ddiv.study.Study, nor STUDIES, a tuple of them"
        )
    return tuple(studies)


def _of_toml(path: Path) -> tuple[Study, ...]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))  # some editors begin files with a mark
    except UnicodeDecodeError as error:
        raise ValueError(f"TOML is UTF-8, and its byte {error.start} is not: save it so") from error
    studies = []
    for table in content.get("studies", [content]):
        try:
            study = msgspec.convert(table, Study)
        except msgspec.ValidationError as error:
            raise ValueError(f"{error}{types_hint(str(error))}") from error
        require_known(table, study)
        studies.append(study)
    return tuple(studies)
