"""Chromium, for tests of pages. `make test` installs Debian's package where it may (.ci/chromium)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
"""Pixels of a laptop's window and of a phone."""
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running Chromium (`playwright.sync_api.Browser`); the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def opened(browser: Any, file: Path, *, width: int = 1280, dark: bool = False) -> Iterator[Any]:
    """Opens a page from the disk; fails if it has an error, writes to the console, or asks for anything else.

    Args:
        width: of the window in pixels.
        dark: whether the person prefers dark colours.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(file.as_uri())
        yield page
        assert complaints == []
        assert [one for one in requests if not one.startswith("blob:")] == [file.as_uri()]
    finally:
        context.close()


def expect(locator: Any) -> Any:
    """playwright's assertions, which wait: `expect(page.locator("p")).to_have_count(2)`.

    Not `page.wait_for_function`: it uses eval, which the Content-Security-Policy of a page forbids.
    """
    from playwright.sync_api import expect as waiting

    return waiting(locator)


def serious_findings(page: Any) -> list[str]:
    """What axe finds in an open page that keeps people from reading or using it: rule, and the elements."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]
