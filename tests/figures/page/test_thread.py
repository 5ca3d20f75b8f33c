"""A model that is slow runs in a thread of its own (thread.js): the same numbers, whatever a person does meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.browser import expect, opened

from tuppence.figures.page import live
from tuppence.figures.page.page import write_page

CHIPS, NEXT = ".live-strip [role=option]", ".live-next button"
SLOW = "const SLOW_TOKEN = 50;"
STATE = """() => ({
  ids: [...document.querySelectorAll(".live-strip [role=option]")].map((chip) => chip.dataset.id),
  weights: [...document.querySelectorAll(".live-strip [role=option]")].map(
    (chip) => Number(chip.style.getPropertyValue("--weight")).toFixed(4)),
  next: [...document.querySelectorAll(".live-next button")].map((button) => [button.token, button.textContent]),
})"""


@pytest.fixture(scope="module")
def quick(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that has no slow token."""
    return write_page(toy_run, tmp_path_factory.mktemp("quick") / "page.html")


@pytest.fixture(scope="module")
def slow(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same page, to which every token is slow."""
    script = live.javascript()
    assert SLOW in script
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "javascript", lambda: script.replace(SLOW, "const SLOW_TOKEN = -1;"))
        return write_page(toy_run, tmp_path_factory.mktemp("slow") / "page.html")


def use(page: Any) -> list[dict[str, Any]]:
    """Does what a person does, without chance; returns what the page shows after each action."""
    seen = []
    page.locator("#live-temperature").fill("0")
    page.get_by_role("button", name="Write").click()
    expect(page.locator(".live-status")).to_contain_text("full: 48 tokens")
    seen.append(page.evaluate(STATE))
    page.locator(CHIPS).nth(20).click()
    seen.append(page.evaluate(STATE))
    page.locator(NEXT).nth(1).click()
    expect(page.locator(CHIPS)).to_have_count(22)
    seen.append(page.evaluate(STATE))
    page.locator("#live-prompt").fill("It's 7 o'clock, and naïve")
    expect(page.locator(".live-written")).to_have_count(0)
    page.wait_for_timeout(100)
    seen.append(page.evaluate(STATE))
    return seen


def test_a_slow_model_gets_a_thread_with_the_same_numbers(browser: Any, slow: Path, quick: Path) -> None:
    with opened(browser, quick) as page:
        expected = use(page)
        assert page.workers == []
    with opened(browser, slow) as page:
        page.locator(".live-panel[data-thread=ready]").wait_for()
        assert len(page.workers) == 1
        assert use(page) == expected


def test_what_comes_too_late_from_the_thread_is_left_out(browser: Any, slow: Path, quick: Path) -> None:
    hurried = """([chips, next]) => {
      const click = (selector, index) => [...document.querySelectorAll(selector)].at(index).click();
      document.querySelector(".live-write").click();  // asks the thread for a token
      document.querySelector(".live-write").click();  // stops
      document.querySelector(".live-write").click();
      click(chips, 6);
      click(next, 0);  // asks for another one
      click(next, 0);  // and again, before it answers
    }"""
    found = []
    for path in (quick, slow):
        with opened(browser, path) as page:
            if path != quick:
                page.locator(".live-panel[data-thread=ready]").wait_for()
            page.locator("#live-temperature").fill("0")
            page.evaluate(hurried, [CHIPS, NEXT])
            page.wait_for_timeout(150)
            if path == slow:  # the second choice is made before the first one shows: it replaces it
                assert page.locator(CHIPS).count() == 8
            page.locator(CHIPS).nth(6).click()
            page.locator(NEXT).nth(2).click()
            page.locator(f"{CHIPS}[aria-selected=true]").and_(page.locator(CHIPS).nth(7)).wait_for()
            page.locator(NEXT).nth(1).click()
            expect(page.locator(CHIPS)).to_have_count(9)
            found.append(page.evaluate(STATE))
    assert found[1] == found[0]


def test_a_browser_that_refuses_threads_reads_in_the_page(browser: Any, slow: Path, quick: Path) -> None:
    with opened(browser, quick) as page:
        expected = page.evaluate(STATE)
    context = browser.new_context()
    context.add_init_script("delete window.Worker")
    page = context.new_page()
    page.goto(slow.as_uri())
    page.locator(CHIPS).nth(3).wait_for()
    assert page.evaluate(STATE) == expected
    context.close()
