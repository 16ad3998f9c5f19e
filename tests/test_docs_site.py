"""The site of the documentation: built strictly, whole, quiet, and open to all."""

import fcntl
import functools
import http.server
import importlib
import os
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from percent import Output
from playwright.sync_api import sync_playwright
from tutorials import page_of

ROOT = Path(__file__).parent.parent
VISITS: tuple[tuple[str, Literal["light", "dark"]], ...] = (
    ("index", "light"),
    ("tutorials/braille", "dark"),
    ("costs", "dark"),
)


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id) -> Path:
    """The site without the tutorials' outputs, built once for all workers of the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    built = shared / "site"
    with (shared / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            done = subprocess.run(
                [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(built)],
                cwd=ROOT,
                env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "MADEM_TUTORIALS": ""},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    return built


class Html(HTMLParser):
    """Links, names of places, and what a page loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = {name: value or "" for name, value in attrs}
        self.places.add(found.get("id", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif "src" in found or (tag == "link" and found.get("rel") != "canonical"):
            self.loaded.append(found.get("src") or found.get("href", ""))


@pytest.fixture(scope="module")
def pages(site):
    # 404.html stands for pages at any depth, and has links from the root of a server.
    return {path: Html(path) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_link_and_place_is_there(site, pages):
    for path, page in pages.items():
        for link in page.links:
            target, place = urldefrag(unquote(link))
            if target.startswith(("http:", "https:")):
                continue
            led = (path.parent / target).resolve() if target else path
            assert led.is_file(), f"{path.relative_to(site)}: {link}"
            if led in pages:
                assert place in pages[led].places, f"{path.relative_to(site)}: {link}"


def test_every_page_is_reached_from_the_start(site, pages):
    reached, left = set(), [site / "index.html"]
    while left:
        path = left.pop()
        if path in reached or path not in pages:
            continue
        reached.add(path)
        links = (urldefrag(unquote(link))[0] for link in pages[path].links)
        left += [(path.parent / link).resolve() for link in links if link]
    assert reached == set(pages)


def test_nothing_is_fetched_from_elsewhere(pages):
    loaded = [one for page in pages.values() for one in page.loaded]
    assert loaded
    assert [one for one in loaded if one.startswith(("http:", "https:", "//"))] == []


def test_every_public_name_is_in_the_reference(pages, site):
    for package in (ROOT / "src" / "madem").glob("[a-z]*/__init__.py"):
        name = package.parent.name
        public = getattr(importlib.import_module(f"madem.{name}"), "__all__", ())
        for each in public:
            places = pages[site / "api" / f"{name}.html"].places
            # A function that is named as its module stands there by its full name.
            assert {f"madem.{name}.{each}", f"madem.{name}.{each}.{each}"} & places, each


def test_a_tutorial_shows_what_it_printed_and_drew(tmp_path):
    script = tmp_path / "tried.py"
    script.write_text("# %% [markdown]\n# # Title\n\n# %% A line\nx = 100  # quick: 1\nx\n")
    page, pictures = page_of(script, [Output("100", b"png")])
    assert page.startswith("# Title\n\n```python\nx = 100\nx\n```\n\n```text\n100\n```\n\n")
    assert "![A line](tried-0.png)" in page
    assert pictures == {"tried-0.png": b"png"}


@pytest.fixture
def address(site):
    """Where the site is served, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format, *args):  # noqa: A002
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_pages_are_quiet_and_open_to_all(address):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for name, scheme in VISITS:
            page = browser.new_page(color_scheme=scheme)
            complaints, requests = [], []
            page.on("console", lambda said, to=complaints: to.append(said.text))
            page.on("pageerror", lambda error, to=complaints: to.append(str(error)))
            page.on("request", lambda asked, to=requests: to.append(asked.url))
            page.goto(f"{address}/{name}.html")
            page.wait_for_load_state("networkidle")
            found = Axe().run(page).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            shown = [(one["id"], one["nodes"][0]["html"][:300]) for one in serious]
            assert shown == []
            assert complaints == []
            assert [url for url in requests if not url.startswith(address)] == []
            page.close()
        browser.close()
