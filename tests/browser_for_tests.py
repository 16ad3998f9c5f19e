"""Pages opened in Chromium, and what must hold of any."""

import shutil
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
NO_CHROMIUM = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")


class Visit:
    """A page opened, and what it complained of and asked for."""

    def __init__(self, browser: Browser, url: str, width: int, height: int, scheme: Scheme):
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.goto(url)

    def colour_of(self, selector: str, name: str) -> str:
        return self.page.eval_on_selector(selector, f"one => getComputedStyle(one).{name}")

    def check_calm(self, *origins: str) -> None:
        """Assert that nothing was complained of, or asked of anyone but these; and leave."""
        assert self.complaints == []
        assert self.requests
        assert all(url.startswith((*origins, "data:", "blob:")) for url in self.requests)
        self.page.close()


def barriers(page: Page) -> list[tuple[str, str]]:
    """What axe finds that keeps people out: rule, and where first."""
    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
