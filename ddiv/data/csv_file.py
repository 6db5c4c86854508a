"""A user's own CSV files: found by the SHA-256 of their bytes, read by the names of columns."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddiv.data import root
from ddiv.data.root import BadData, NoData
from ddiv.study import Complaints, Tweets

LISTED = 20  # names that an error shows at most


class BadTable(BadData):
    """A file of complaints cannot be used; the message names the cause and the remedy."""


# What the files of a spec are, by the name of the one that is taken without a digest.
ORIGINS = {
    Complaints.file: "exports of the CFPB's Consumer Complaint Database "
    "(https://www.consumerfinance.gov/data-research/consumer-complaints/)",
    Tweets.file: "tables of tweets with the columns text and label (complaint or not), such as the "
    "corpus of Preoţiuc-Pietro, Gaman and Aletras (2019)",
}


def find(wanted: str, file: str = Complaints.file) -> Path:
    """The CSV file of this SHA-256 anywhere below the data root.

    `file` is the name of such files in the data root. Raises NoData where there is none.
    """
    origin = ORIGINS[file]
    if not wanted:
        raise NoData(
            f"there is no {file} in {root.data_root()}: put one there; such files are {origin}"
        )
    return root.find(
        wanted,
        ".csv",
        "complaints",
        f"let {root.FOLDER_VARIABLE} name the folder of that CSV file. Such files are {origin}; "
        "for another one put its SHA-256 (ddiv.common.digests.file_digest) into the study",
    )


def read(path: Path, columns: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The columns of a CSV file (UTF-8, commas) by role.

    `columns` maps a role to the names that its column may have. Names are compared without regard
    to case, spaces, hyphens and underscores ("Sub-product" is "sub_product"). Raises BadTable on a
    missing column, on a file of another kind, and on torn rows.
    """
    # the default, 128 KiB, is less than some narratives with their letters
    before = csv.field_size_limit(2**31 - 1)
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = next(rows, None)
            if header is None:
                raise BadTable(f"{path} is empty: give the whole CSV file")
            if any("\0" in name for name in header):
                raise BadTable(
                    f"{path} has NUL bytes in its header, so it is no UTF-8 text: convert it, for "
                    "instance with iconv -f UTF-16LE -t UTF-8"
                )
            places = _places(path, header, columns)
            table: dict[str, list[str]] = {role: [] for role in columns}
            for row in rows:
                line = rows.line_num
                if len(row) == len(header):
                    for role, place in places.items():
                        table[role].append(row[place])
                elif row:  # an empty line is no row
                    raise BadTable(
                        f"{path}, line {line}: {len(row)} fields under a header of {len(header)}; "
                        "a comma, quote or line break within a field must stand in double quotes: "
                        "export the file anew"
                    )
    except UnicodeDecodeError as error:
        wide = line == 0 and error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        raise BadTable(
            f"{path} is not UTF-8 text (a byte 0x{error.object[error.start]:02x} after line "
            f"{line}): unpack it if it is an archive, or convert it, for instance with iconv -f "
            f"{'UTF-16' if wide else 'WINDOWS-1252'} -t UTF-8"
        ) from error
    except OSError as error:
        raise BadTable(f"{path} cannot be read ({error.strerror}): look at the disk") from error
    except csv.Error as error:
        raise BadTable(
            f"{path} is no whole CSV file ({error}, in the row that begins after line {line}): a "
            "double quote is not closed, or the file was cut short; export or download it anew"
        ) from error
    finally:
        csv.field_size_limit(before)
    return table


def _places(
    path: Path, header: Sequence[str], columns: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    names = [_plain(name) for name in header]
    places = {}
    for role, candidates in columns.items():
        matches = [
            names.index(_plain(name)) for name in candidates if names.count(_plain(name)) == 1
        ]
        if not matches:
            ellipsis = ["..."] * (len(header) > LISTED)
            own = ", ".join([repr(name[:60]) for name in header[:LISTED]] + ellipsis)
            wanted = " or ".join(map(repr, candidates))
            raise BadTable(
                f"{path} has no single column named {wanted}; its columns are {own}: name one of "
                "them in the study" + ", or convert the file to commas" * (len(header) == 1)
            )
        places[role] = matches[0]
    return places


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
