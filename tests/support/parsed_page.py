"""A page as a browser would read it."""

from __future__ import annotations

import json
import re
from html import unescape
from html.parser import HTMLParser

from ddiv.report import render
from ddiv.report.packing import joined, unpack
from ddiv.report.schema import Page

# What a string from outside might hold.
HOSTILE = (
    "</script><img src=x onerror=document.title='pwned'><a href='https://example.org'>a</a> "
    "& %{x} \u2028\u2029 {{7*7}} \ud800"
)
VOID = {"meta", "link", "input", "img", "br", "hr"}


class Parsed(HTMLParser):
    """The elements of a page, outside of what only looks like elements inside scripts."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts, self.scripts = [], [], [], {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script":
            self.scripts[self.open[-1][1].get("id", "js")] = data
        elif self.open and self.open[-1][0] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag, **having):
        return [
            a
            for t, a in self.elements
            if t == tag
            and all(v in (a.get(k.rstrip("_")) or "").split() for k, v in having.items())
        ]


def packed(html: str) -> dict:
    """The blocks of a page, by name."""
    found = re.findall(r'<script type="text/plain" id="packed-(\w+)">([^<]*)</script>', html)
    return {name: unpack(text) for name, text in found}


# A closed part of a page, and where its content is packed.
CLOSED = (
    r'(<details[^>]*? id="([^"]+)"(?: data-picture="[^"]*")? data-in="(\w+)"[^>]*>'
    r"(?:(?!<details).)*?)</details>"
)


def opened(html: str) -> str:
    """A page with all of its parts opened, as the page's script does it."""
    blocks = packed(html)
    parts = {name: joined(block) for name, block in blocks.items() if "markup" in block}
    findings = dict(zip(*(blocks["index"]["index"][name] for name in ("anchor", "of"))))
    used = set()

    def inside(block: str, anchor: str) -> str:
        used.add((block, anchor))
        if anchor in findings:
            return parts[block][anchor][1]
        (own,) = parts[block][anchor]
        return own + "".join(
            parts[block][name][0] for name, claim in findings.items() if claim == anchor
        )

    def fill(match: re.Match) -> str:
        return f"{match[1]}{inside(match[3], unescape(match[2]))}</details>"

    shown = re.sub(CLOSED, fill, html, flags=re.DOTALL)
    of_findings = CLOSED.replace("<details[^>]", '<details class="finding"[^>]', 1)
    shown = re.sub(of_findings, fill, shown, flags=re.DOTALL)
    # nothing is packed that nothing opens
    assert used == {(name, place) for name, block in parts.items() for place in block}
    data = json.dumps(blocks["data"])
    for char in "<>&":
        data = data.replace(char, f"\\u{ord(char):04x}")
    return shown.replace("</body>", f'<script id="data">{data}</script></body>')


def whole(page: Page) -> str:
    """The HTML of a page with all of its parts opened."""
    return opened(render(page))


def parse(page: Page) -> Parsed:
    parsed = Parsed(whole(page))
    assert not parsed.open
    return parsed
