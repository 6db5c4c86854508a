"""Pre-trained weights in Hugging Face's cache (HF_HOME), where `hf download` puts them.

Nothing is downloaded here.
"""

from __future__ import annotations

from pathlib import Path

from ddiv.common.errors import NoModel


class NotAtHand(NoModel):
    """Weights are not on this machine but can be had; the message, one line, says how."""


def cached(repository: str, *files: str) -> Path | None:
    """The first of these files of a repository that is in the cache; None where none is."""
    from huggingface_hub import try_to_load_from_cache

    paths = (try_to_load_from_cache(repository, file) for file in files)
    return next((Path(path) for path in paths if isinstance(path, str)), None)
