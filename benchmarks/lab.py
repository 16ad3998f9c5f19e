"""How alive `madem lab` feels: the nine names on `taox-64`, in headless Chromium.

    python benchmarks/lab.py [PICTURE]

Prints the seconds from pressing Train to the first picture and to the first step, pictures a second
while it trains, and what breaking columns of the first array does. Writes docs/pictures/lab.png.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

STEPS, COLUMNS, WINDOW = 400, 20, 3.0
PATIENCE = 900_000  # ms


def main() -> None:
    """Run the lab in a process of its own, and use it as a person would."""
    picture = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures/lab.png")
    command = [sys.executable, "-m", "madem", "lab", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        address = lab.stdout.readline().split()[-1]
        try:
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
                page = chromium.new_page(viewport={"width": 1280, "height": 1450})
                page.set_default_timeout(PATIENCE)
                page.goto(address)
                _use(page)
                page.mouse.move(0, 0)
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=picture, full_page=True)
        finally:
            lab.terminate()


def _use(page: Page) -> None:
    page.locator("#steps").fill(str(STEPS))
    started = time.monotonic()
    page.get_by_role("button", name="Train a new chip").click()
    page.wait_for_selector("#gallery-rows svg")
    print(f"first picture: {time.monotonic() - started:.2f} s")
    page.wait_for_selector("body[data-phase='training']")
    print(f"training after {time.monotonic() - started:.1f} s")
    rates = sorted(_updates_per_second(page) for _ in range(7))
    print("pictures a second, windows of 3 s:", ", ".join(f"{rate:.1f}" for rate in rates))
    page.wait_for_selector("body[data-phase='done']")
    print("learned:", page.locator("#curve").get_attribute("aria-label"))
    page.get_by_label("a column").check()
    page.get_by_label("Stuck", exact=True).select_option("off")
    canvas = page.locator("#maps canvas").first
    box = canvas.bounding_box()
    assert box is not None
    for column in range(COLUMNS):
        canvas.click(position={"x": (3 * column + 0.5) * box["width"] / 63, "y": 50})
    page.get_by_role("button", name="Learn on").click()
    page.wait_for_selector("body[data-phase='training']")
    page.wait_for_selector("body[data-phase='done']")
    print("healed:", page.locator("#curve").get_attribute("aria-label"))
    print("load:", os.getloadavg())


def _updates_per_second(page: Page) -> float:
    started, before = time.monotonic(), _pictures(page)
    time.sleep(WINDOW)
    return (_pictures(page) - before) / (time.monotonic() - started)


def _pictures(page: Page) -> int:
    return int(page.evaluate("document.body.dataset.pictures"))


if __name__ == "__main__":
    main()
