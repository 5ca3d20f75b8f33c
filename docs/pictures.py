"""Takes the pictures of the README from the real pages: PNG files in docs/images.

make quickstart && make docs
tuppence export runs/quickstart/pretrain --to page --out live.html
python docs/pictures.py --report runs/quickstart/pretrain/report.html --heading Curves --live live.html
python docs/pictures.py --chapter docs/_build/html/chapters/01_LLM_Fundamentals.html --heading "three masks"
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images"
SIZE = {"width": 1000, "height": 760}
COLOURS = 128
SCROLL = """words => [...document.querySelectorAll("h1, h2, h3, figure")]
    .find(found => found.textContent.includes(words)).scrollIntoView({behavior: "instant"})"""


def save(page: Any, name: str) -> None:
    """Writes what the window shows, in few colours: a page of text then needs a tenth of the bytes."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    IMAGES.mkdir(exist_ok=True)
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).save(IMAGES / f"{name}.png", optimize=True)


def chapter(page: Any, path: Path, words: str) -> None:
    """A chapter, from the heading that contains `words` on."""
    page.goto(path.as_uri())
    page.add_style_tag(content=".back-to-top { display: none !important } h2 { scroll-margin-top: 4rem }")
    page.evaluate(SCROLL, words)
    page.wait_for_timeout(500)
    save(page, "chapter")


def report(page: Any, path: Path, words: str) -> None:
    """A report, from the heading that contains `words` on."""
    page.goto(path.as_uri())
    page.evaluate(SCROLL, words)
    page.wait_for_timeout(500)
    save(page, "report")


def live(page: Any, path: Path) -> None:
    """The page of a live model, which has written on from its prompt."""
    page.goto(path.as_uri())
    page.get_by_role("button", name="Write").click()
    page.wait_for_timeout(6000)
    save(page, "live")


def main() -> None:
    """Takes the pictures whose pages are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chapter", type=Path, help="a chapter's page in the built site")
    parser.add_argument("--heading", default="", help="words of the heading at which the picture begins")
    parser.add_argument("--report", type=Path, help="the report of a run or a quickstart")
    parser.add_argument("--live", type=Path, help="a page of `tuppence export`")
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        if given.chapter:
            chapter(page, given.chapter.resolve(), given.heading)
        if given.report:
            report(page, given.report.resolve(), given.heading)
        if given.live:
            live(page, given.live.resolve())
        browser.close()


if __name__ == "__main__":
    main()
