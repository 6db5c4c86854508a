"""A page as a browser would read it."""

from __future__ import annotations

from html.parser import HTMLParser

from ddiv.report import render
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


def parse(page: Page) -> Parsed:
    parsed = Parsed(render(page))
    assert not parsed.open
    return parsed
