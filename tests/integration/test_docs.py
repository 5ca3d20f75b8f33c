"""What the README and the docs tell people to type is understood by the command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tuppence import cli

ROOT = Path(__file__).resolve().parents[2]
GENERATED = [ROOT / "docs" / "reference" / name for name in ("api", "cli", "notebooks")]  # by the build of the site
WRITTEN = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page.parent not in GENERATED]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *WRITTEN]


@lru_cache(maxsize=1)
def command_line() -> Any:
    """The whole command line, as typer hands it to its parser."""
    cli._register_verbs()
    return typer.main.get_command(cli.app)


def commands() -> list[tuple[str, str]]:
    """(page, command line) of every command in a block of code; continued lines joined."""
    found = []
    for page in PAGES:
        blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```|^((?: {4}.*\n)+)", page.read_text(), re.M | re.S)
        for block in map("".join, blocks):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.match(r"\s*(?:\$ )?(?:torchrun .*?-m )?(tuppence .*)", line)
                if match and "…" not in line and "..." not in line:
                    found.append((page.relative_to(ROOT).as_posix(), match[1]))
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_in_the_docs_is_understood(page: str, line: str) -> None:
    command = command_line()
    arguments = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    while hasattr(command, "commands"):
        assert arguments, f"{page}: '{line}' names no verb"
        assert arguments[0] in command.commands, f"{page}: there is no verb '{arguments[0]}'"
        command = command.commands[arguments.pop(0)]
    command.make_context("tuppence", arguments)  # parses and checks, and runs nothing


def test_the_docs_show_every_verb() -> None:
    shown = " ".join(line for _, line in commands())
    assert [verb for verb in command_line().commands if f"tuppence {verb}" not in shown] == []


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_references_have_every_paper_that_the_code_names() -> None:
    named = {
        paper
        for path in (ROOT / "src").rglob("*.py")
        for paper in re.findall(r"arXiv:(\d{4}\.\d{4,5})", path.read_text())
    }
    page = (ROOT / "docs" / "reference" / "references.md").read_text()
    assert sorted(paper for paper in named if f"https://arxiv.org/abs/{paper}" not in page) == []


def test_the_readme_counts_the_pinned_packages() -> None:
    pinned = len((ROOT / "constraints.txt").read_text().splitlines())
    assert f"{pinned} packages in all" in " ".join((ROOT / "README.md").read_text().split())


def test_the_readme_says_what_a_budget_buys_as_the_plan_does() -> None:
    command = [sys.executable, "-m", "tuppence", "plan", "--budget", "100"]
    planned = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]
    readme = (ROOT / "README.md").read_text().replace("\n> ", " ")
    assert planned in readme
