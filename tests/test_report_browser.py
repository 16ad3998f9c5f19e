"""A report in Chromium: seen on a phone and a desk, by day and night, printed, and read out."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser_for_tests import NO_CHROMIUM, Scheme, Visit, barriers
from madem.report.html import report_html, report_of
from madem.studies.run_record import read_record
from madem.studies.shown_run import ShownRun, show_run
from runs_for_tests import tiny_run

PAPER = {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 24, 39)"}
INK = {"light": "rgb(31, 41, 55)", "dark": "rgb(229, 231, 235)"}
pytestmark = NO_CHROMIUM


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A report of two runs, one with flaws."""
    folder = tmp_path_factory.mktemp("report")
    shown = show_run(read_record(tiny_run(folder / "tiny")), "tiny")
    other = ShownRun("other", shown.record, flaws=("something is missing",))
    path = folder / "report.html"
    path.write_text(report_html(report_of([shown, other])))
    return path


def visit_of(chromium, file: Path, width: int, height: int, scheme: Scheme) -> Visit:
    return Visit(chromium, file.as_uri(), width, height, scheme)


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [(390, 844, "dark"), (1280, 800, "light")],
    ids=["phone at night", "desk by day"],
)
def test_it_opens_without_errors_requests_or_barriers(chromium, file, width, height, scheme):
    visit = visit_of(chromium, file, width, height, scheme)
    page = visit.page
    assert page.locator(".plot").count() >= 15
    assert page.locator(".plot:has(.main-svg)").count() == page.locator(".plot").count()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.colour_of("body", "backgroundColor") == PAPER[scheme]
    assert visit.colour_of(".plot .xtick text", "fill") == INK[scheme]
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert barriers(page) == []
    visit.check_calm("file:")


def test_plots_follow_when_night_falls_and_when_printed(chromium, file):
    visit = visit_of(chromium, file, 1280, 800, "light")
    page = visit.page
    label = page.locator(".plot .xtick text").first
    page.emulate_media(color_scheme="dark")
    expect(label).to_have_css("fill", INK["dark"])
    page.emulate_media(color_scheme="dark", media="print")
    expect(label).to_have_css("fill", INK["light"])
    assert visit.colour_of("body", "backgroundColor") == PAPER["light"]
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
    visit.check_calm("file:")


def test_a_legend_hides_a_line_and_the_chip_can_be_saved(chromium, file):
    visit = visit_of(chromium, file, 1280, 800, "light")
    page = visit.page
    plot = page.locator(".plot").first
    expect(plot.locator(".trace.scatter")).to_have_count(2)
    plot.locator(".legendtoggle").first.click()
    expect(plot.locator(".trace.scatter")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_text(re.compile("Save chip.toml")).first.click()
    assert download.value.suggested_filename == "chip.toml"
    assert Path(download.value.path()).read_text() == (file.parent / "tiny/chip.toml").read_text()
    visit.check_calm("file:")
