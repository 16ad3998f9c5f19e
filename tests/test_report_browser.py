"""A report in Chromium: seen on a phone and a desk, by day and night, printed, and read out."""

import re
import shutil
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from madem.report.html import report_html, report_of
from madem.studies.run_record import read_record
from madem.studies.shown_run import ShownRun, show_run
from runs_for_tests import tiny_run

Scheme = Literal["light", "dark"]
PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 24, 39)"}
INK = {"light": "rgb(31, 41, 55)", "dark": "rgb(229, 231, 235)"}
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A report of two runs, one with flaws."""
    folder = tmp_path_factory.mktemp("report")
    shown = show_run(read_record(tiny_run(folder / "tiny")), "tiny")
    other = ShownRun("other", shown.record, flaws=("something is missing",))
    path = folder / "report.html"
    path.write_text(report_html(report_of([shown, other])))
    return path


class Visit:
    """A page opened, and what it complained of and asked for."""

    def __init__(self, browser: Browser, file: Path, width: int, height: int, scheme: Scheme):
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def colour_of(self, selector: str, name: str) -> str:
        return self.page.eval_on_selector(selector, f"one => getComputedStyle(one).{name}")

    def check_calm(self) -> None:
        assert self.complaints == []
        assert self.requests
        assert all(url.startswith(("file:", "data:", "blob:")) for url in self.requests)
        self.page.close()


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(390, 844, "dark"), (1280, 800, "light")],
    ids=["phone at night", "desk by day"],
)
def test_it_opens_without_errors_requests_or_barriers(chromium, file, width, height, scheme):
    visit = Visit(chromium, file, width, height, scheme)
    page = visit.page
    assert page.locator(".plot").count() >= 15
    assert page.locator(".plot:has(.main-svg)").count() == page.locator(".plot").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.colour_of("body", "backgroundColor") == PAPER[scheme]
    assert visit.colour_of(".plot .xtick text", "fill") == INK[scheme]
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
    visit.check_calm()


def test_plots_follow_when_night_falls_and_when_printed(chromium, file):
    visit = Visit(chromium, file, 1280, 800, "light")
    page = visit.page
    label = page.locator(".plot .xtick text").first
    page.emulate_media(color_scheme="dark")
    expect(label).to_have_css("fill", INK["dark"])
    page.emulate_media(color_scheme="dark", media="print")
    expect(label).to_have_css("fill", INK["light"])
    assert visit.colour_of("body", "backgroundColor") == PAPER["light"]
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
    visit.check_calm()


def test_a_legend_hides_a_line_and_the_chip_can_be_saved(chromium, file):
    visit = Visit(chromium, file, 1280, 800, "light")
    page = visit.page
    plot = page.locator(".plot").first
    expect(plot.locator(".trace.scatter")).to_have_count(2)
    plot.locator(".legendtoggle").first.click()
    expect(plot.locator(".trace.scatter")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_text(re.compile("Save chip.toml")).first.click()
    assert download.value.suggested_filename == "chip.toml"
    assert Path(download.value.path()).read_text() == (file.parent / "tiny/chip.toml").read_text()
    visit.check_calm()
