"""Parts of a page that are opened on demand: compressed blocks inside the page itself.

A block is a JSON object, deflated (zlib) and in base64, in a script element that no browser
executes. The page's script inflates it when something of it is looked at, so that a page of
thousands of findings opens at once, from a disk and without a network. Text from outside is escaped
by the templates before it comes here, as everywhere on the page.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from typing import Any

import msgspec
from markupsafe import Markup


class Packed:
    """The blocks of one page, filled while its template is rendered."""

    def __init__(self, **blocks: Any) -> None:
        self._blocks: dict[str, Any] = defaultdict(dict)
        self._blocks.update(blocks)

    def put(self, block: str, place: str, html: str) -> str:
        """Keep what belongs into a place of the page, by its id; nothing is shown here."""
        self._blocks[block][place] = str(html)
        return ""

    def blocks(self) -> Markup:
        """All blocks as script elements."""
        return Markup("\n").join(
            Markup('<script type="text/plain" id="packed-{}">{}</script>').format(name, pack(block))
            for name, block in self._blocks.items()
        )


def pack(value: Any) -> str:
    """A value as deflated JSON in base64; Structs become objects."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    # As ASCII: what is no Unicode text, such as half of a surrogate pair, passes too.
    written = json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(written.encode("ascii"), 9)).decode("ascii")


def unpack(text: str) -> Any:
    """The value of `pack`."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
