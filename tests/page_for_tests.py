"""A report's page, read as HTML, with what must hold of any."""

import itertools
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "circle", "path"}
OWN_SCRIPTS = 2
"""Plotly and the page's own."""


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, tag: str) -> list["Element"]:
        found = [self] if self.tag == tag else []
        return found + [one for child in self.children for one in child.all(tag)]

    def every(self) -> list["Element"]:
        return [self, *(one for child in self.children for one in child.every())]

    def words(self) -> str:
        return " ".join([self.text, *(child.words() for child in self.children)])


class Page(HTMLParser):
    """Parses strictly: what is opened is closed, in order."""

    def __init__(self, text: str):
        super().__init__()
        self.root = Element("root", {})
        self._open = [self.root]
        self.feed(text)
        self.close()
        assert [one.tag for one in self._open] == ["root"]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self._open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag

    def handle_data(self, data):
        self._open[-1].text += data


def check_page(text: str) -> Page:
    """Read a page, and assert what must hold of any."""
    page = Page(text)
    root = page.root
    every = root.every()
    ids = [one.attributes["id"] for one in every if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    _check_closed(root, every)
    drawn = [one for one in every if one.tag in ("svg", "img") or _class(one) == "plot"]
    assert drawn
    for one in drawn:
        label = one.attributes.get("aria-label") or one.attributes.get("alt")
        assert label, one.attributes
    for table in root.all("table"):
        assert table.all("caption")[0].text.strip()
    for named in (one.attributes.get("aria-labelledby") for one in every):
        assert named is None or named in ids
    for plot in (one for one in every if _class(one) == "plotted"):
        assert plot.all("details")[0].all("table"), "the numbers under a plot"
    levels = [int(one.tag[1]) for one in every if one.tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert {"header", "nav", "main", "article", "section"} <= {one.tag for one in every}
    return page


def _check_closed(root: Element, every: list[Element]) -> None:
    """Assert that nothing is fetched, and that no script came in with the data."""
    policy = next(
        one.attributes["content"]
        for one in root.all("meta")
        if one.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )
    for one in every:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            value = one.attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (one.tag, value)
        assert not any(name.startswith("on") for name in one.attributes), one.attributes
    scripts = [one for one in root.all("script") if "type" not in one.attributes]
    assert len(scripts) == OWN_SCRIPTS
    style = root.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style


def _class(element: Element) -> str | None:
    return element.attributes.get("class")
