"""A draft as a killed process leaves it."""

from pathlib import Path

from ddiv.common.drafts import signature


def dead_draft(path: Path) -> Path:
    """Half of a file, by a process that had this one's number and is gone."""
    draft = path.with_name(f".{path.name}.{signature()}1.0123abcd")
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_bytes(b"half")
    return draft
