"""What the report's page and the page of spectra share.

That is: cleaned data, inlined scripts and styles, and one template environment.

Text reaches a page through Jinja2's autoescape, data for the plots as JSON in script elements that
the browser does not execute. A Content-Security-Policy in the page allows the page's own script, by
its hash, and nothing else: no request to a network, no script or event handler smuggled in by a
string.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from ddiv.report import text

ASSETS = Path(__file__).parent / "assets"

IMAGE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/=\s]+")


def document(name: str, *, styles: tuple[str, ...], scripts: tuple[str, ...], **shown: Any) -> str:
    """The template NAME.html.j2 as one self-contained HTML file.

    Its script is dom.js, draw.js and the `scripts` as one; its CSS is the `styles` joined. The
    template shows `shown`, which is `clean`.
    """
    own = "".join(map(_read, ("dom.js", "draw.js", *scripts)))
    script = f'"use strict";\n(() => {{\n{own}}})();\n'
    template = _environment().get_template(f"{name}.html.j2")
    return template.render(
        **shown,
        css=Markup("".join(map(_read, ("draw.css", *styles)))),
        script=Markup(script),
        hash=_hash(script),
    )


def _read(name: str) -> str:
    """An asset without the indentation of its lines, and without lines that are comments."""
    lines = map(str.strip, (ASSETS / name).read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def clean(value: Any) -> Any:
    """A deep copy in plain Python numbers, and in strings without lone surrogates, which are no
    Unicode text.

    NaN and infinities are None. A dict has no keys whose value is None; a Struct keeps its fields.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, msgspec.Struct):
        fields = {name: clean(getattr(value, name)) for name in value.__struct_fields__}
        return type(value)(**fields)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {clean(str(key)): new for key, v in value.items() if (new := clean(v)) is not None}
    if isinstance(value, tuple):
        return tuple(clean(v) for v in value)
    if isinstance(value, list):
        return [clean(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def short(value: Any, digits: int = 5) -> Any:
    """Arrays as lists, and numbers cut to this many significant digits: no plot can tell five from
    all of them.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: short(v, digits) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [short(v, digits) for v in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return value


def as_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in; Structs become objects."""
    plain = msgspec.to_builtins(value, enc_hook=str)
    written = json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for char in "<>&":
        # ensure_ascii has escaped U+2028 and U+2029
        written = written.replace(char, f"\\u{ord(char):04x}")
    return Markup(written)


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()


@cache
def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=lambda shown: "" if shown is None else shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        num=text.number,
        plain=text.plain,
        duration=text.duration,
        percent=text.percent,
        share=text.share,
        interval=text.interval,
        key=text.key,
        count=text.count,
        dash=text.dash,
        image=lambda src: src if isinstance(src, str) and IMAGE.fullmatch(src) else None,
    )
    env.globals.update(
        VERDICTS=text.VERDICTS,
        SPECIFIC=text.SPECIFIC,
        NEGLIGIBLE=text.NEGLIGIBLE,
        HARDLY=text.HARDLY,
        POWER=text.POWER,
    )
    return env
