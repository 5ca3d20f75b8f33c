"""The site builds without a warning, its links lead somewhere, it loads nothing from elsewhere, and can be read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from tests.browser import serious_findings

from tuppence.cli import command_line

ROOT = Path(__file__).resolve().parents[2]
LOOKED_AT = [
    *("index.html", "howto/budget.html", "reference/cli/pretrain.html", "reference/api/tuppence.model.native.html"),
    "chapters/07_Instructions.html",
]
"""A page of each kind: axe needs seconds for a long one."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site, as `make docs` builds it: warnings are errors."""
    out = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--doctree-dir", str(out / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(out / "html")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    built = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return out / "html"


class Page(HTMLParser):
    """The names, links and loads of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what a tag defines, leads to and loads."""
        found = {key: value or "" for key, value in attrs}
        self.names |= {found[key] for key in ("id", "name") if key in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        self.loads += [found["src"]] if "src" in found else []
        self.loads += [found["href"]] if tag == "link" and "href" in found else []


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """Every page of the site."""
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_link_leads_to_a_page_and_a_place_on_it(pages: dict[Path, Page]) -> None:
    lost = []
    for path, page in pages.items():
        for link in page.links:
            url = urlsplit(link)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if target not in pages:
                if not target.is_file():
                    lost.append(f"{path.name}: {link}")
            elif url.fragment and unquote(url.fragment) not in pages[target].names:
                lost.append(f"{path.name}: {link}")
    assert sorted(set(lost)) == []


def test_no_page_loads_anything_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    loads = {load for page in pages.values() for load in page.loads if urlsplit(load).netloc}
    styles = " ".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert loads == set()
    assert re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//[^'\")]*", styles) == []


def test_every_verb_has_a_page_with_all_its_options(site: Path) -> None:
    for name, verb in command_line().commands.items():
        text = Page(site / "reference" / "cli" / f"{name}.html")
        below = {f"{name}-{one}": command for one, command in getattr(verb, "commands", {}).items()} or {name: verb}
        for path, command in below.items():
            options = [one.opts[0].lstrip("-") for one in command.params if one.param_type_name == "option"]
            assert [one for one in options if f"cmdoption-tuppence-{path}-{one}" not in text.names] == []


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_can_be_read(site: Path, browser: Any, name: str, width: int, scheme: str) -> None:
    requests: list[str] = []
    with browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        page.on("request", lambda request: requests.append(request.url))
        page.goto((site / name).as_uri())
        assert serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []


def test_no_chapter_scrolls_sideways_on_a_phone(site: Path, browser: Any) -> None:
    wide = []
    with browser.new_page(viewport={"width": 390, "height": 900}) as page:
        for path in sorted((site / "chapters").glob("*.html")):
            page.goto(path.as_uri())
            wide += [path.name] if page.evaluate("document.documentElement.scrollWidth") > 390 else []
    assert wide == []
