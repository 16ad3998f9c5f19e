"""Pages and links that lead out of docs/: right on a code host, and right in the site.

A page of the navigation that is not in docs/ is taken from the repository. A link to a package or
module of madem leads to its reference, one to a tutorial's script to its page, and one to any other
file of the repository to a copy of it.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:)([^)#\s]+)")
_SOURCE = re.compile(r"src/madem/(\w+?)(?:\.py|/.*)?")
"""A package or module directly below madem; group 1 is its name."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add pages of the navigation, and files that pages link to, from outside docs/."""
    for uri in _leaves(config.nav):
        if files.get_file_from_path(uri) is None and (ROOT / uri).is_file():
            files.append(File.generated(config, uri, content=(ROOT / uri).read_text("utf-8")))
    for page in files.documentation_pages():
        for target in _LINK.findall(page.content_string):
            uri = outside(target, page.src_uri)
            if uri is None or files.get_file_from_path(uri) is not None or _reference(uri):
                continue
            if not (ROOT / uri).is_file():
                raise PluginError(f"{page.src_uri} links to {target}, which is no file")
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / uri)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: Any) -> str:
    """Turn links out of docs/, and to tutorials' scripts, to where they lead in the site."""

    def turned(match: re.Match[str]) -> str:
        here = page.file.src_uri
        uri = outside(match[1], here)
        if uri is None:
            as_page = re.sub(r"\.py$", ".md", match[1])
            known = posixpath.normpath(posixpath.join(posixpath.dirname(here), as_page))
            return as_page if files.get_file_from_path(known) else match[1]
        return posixpath.relpath(_reference(uri) or uri, posixpath.dirname(here) or ".")

    return _LINK.sub(turned, markdown)


def outside(target: str, page: str) -> str | None:
    """Path in the repository that a link of a page leads to; None if it stays within docs/.

    A page that was itself taken from outside docs/ has the path of its file.
    """
    home = page if _is_outside(page) else f"docs/{page}"
    path = posixpath.normpath(posixpath.join(posixpath.dirname(home), target))
    if path.startswith("docs/"):
        return path.removeprefix("docs/") if _is_outside(page) else None
    return path


def _is_outside(page: str) -> bool:
    return not (ROOT / "docs" / page).is_file() and (ROOT / page).is_file()


def _reference(uri: str) -> str | None:
    """Page of the reference that stands for a package or module of madem."""
    found = _SOURCE.fullmatch(uri)
    page = f"api/{found[1]}.md" if found else ""
    code = (ROOT / uri).is_dir() or uri.endswith(".py")
    return page if code and (ROOT / "docs" / page).is_file() else None


def _leaves(nav: Any) -> Iterator[str]:
    """Paths of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(one)
