"""Makes the notebooks: NN_Name.py (jupytext percent, the source) → NN_Name.ipynb with outputs, and checks them.

    python notebooks/build.py                 execute all chapters at the scale "laptop", and write their notebooks
    python notebooks/build.py 3 5             only these chapters
    python notebooks/build.py --text          take over changed text and set-up cells, without executing
    python notebooks/build.py --check         whether every notebook is in step with its source, and well made
    python notebooks/build.py --repository OWNER/NAME    write another repository into badges and set-up cells

The same sources give the same bytes, except for measured numbers: cell ids are made from the source, times are not
recorded, and the metadata are reduced. `make notebooks` and tests/notebooks call this file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from tuppence.core.environment import cpu_count
from tuppence.course.measurements import Measured, record

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
MOST_BYTES = 600_000
CELL_SECONDS = 1200
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
"""The one picture that a notebook loads from elsewhere: its alt text is the link."""

_UNITS = (
    r"(?:ms|s|seconds?|min|minutes?|hours?|h|tokens?(?:/s| a second| per second)?|tok/s|[KMG]i?B|[km]?bytes?"
    r"|nats?|bits?|steps?|parameters?|%|×(?!\s*\d)|times|dollars?)"
)
_MEASURED = re.compile(rf"(?:(?<![\w.$-])\d[\d,.]*\s*{_UNITS}(?![\w])|(?<!\\)\$\s?\d[\d,.]*)")
_CODE = re.compile(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\s](?:[^$]*[^$\s])?\$(?!\d)|\]\([^)]*\)", re.DOTALL)
_QUOTED = re.compile(r"(<!-- the receipt in chapter 8 -->\n> )(.+)")
ALLOWED = ("$100",)
"""Figures with a unit that are no measurements: definitions and promises."""
_OWN = re.compile(r"(?<![\w.:/])/(?:home|root|Users|tmp|work|private|content)/[\w.-]+")
_ALLOWED_CELL = re.compile(r"^<!-- figures: (.+) -->$", re.MULTILINE)


def repository() -> str:
    """Returns "owner/name" on GitHub, from pyproject.toml: badges and set-up cells name it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Repository"]).removeprefix("https://github.com/")


def rename_repository(name: str) -> None:
    """Writes another "owner/name" into pyproject.toml, all sources and the template.

    Raises:
        ValueError: the name is not of that form.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+", name):
        raise ValueError(f"{name!r} is not OWNER/NAME")
    before = repository()
    for file in (ROOT / "pyproject.toml", FOLDER / "README.md", *sources()):
        file.write_text(file.read_text(encoding="utf-8").replace(before, name), encoding="utf-8")


def set_up_cell(number: int) -> str:
    """Returns the first code cell of a chapter, from the template in README.md."""
    (code,) = re.findall(
        r"```python\n(import importlib.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.S
    )
    return str(code).strip().replace("tp.chapter(1)", f"tp.chapter({number})")


def renew_set_up(source: Path) -> None:
    """Writes the present set-up cell into a source, if it has another one."""
    text = source.read_text(encoding="utf-8")
    cell = f"# %%\n{set_up_cell(int(source.name[:2]))}\n"
    renewed = re.sub(r"^# %%\nimport importlib.*?\nchapter\n", lambda _: cell, text, count=1, flags=re.S | re.M)
    if renewed != text:
        source.write_text(renewed, encoding="utf-8")


def sources() -> list[Path]:
    """Returns the sources of all chapters, in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def notebook_of(source: Path) -> Path:
    """Returns the path of a source's notebook."""
    return source.with_suffix(".ipynb")


# ---- from source to notebook -----------------------------------------------------------------------------------------


def read_source(source: Path) -> NotebookNode:
    """Returns a source as a notebook without outputs. The id of a cell is its number and a hash of its source."""
    text = source.read_text(encoding="utf-8")
    notebook = jupytext.reads(text, fmt="py:percent")
    cells = []
    for number, cell in enumerate(notebook.cells):
        identity = f"{number:02d}-{hashlib.sha256(cell.source.encode()).hexdigest()[:12]}"
        made: dict[str, Any] = {"id": identity, "cell_type": cell.cell_type, "metadata": {}, "source": cell.source}
        if cell.cell_type == "code":
            made |= {"execution_count": None, "outputs": []}
        cells.append(NotebookNode(made))
    return NotebookNode(
        nbformat=4,
        nbformat_minor=5,
        metadata=NotebookNode(
            kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
            language_info={"name": "python"},
            tuppence={"source_sha256": hashlib.sha256(text.encode()).hexdigest()},
        ),
        cells=cells,
    )


def execute(source: Path, environ: Mapping[str, str] | None = None, folder: Path = FOLDER) -> NotebookNode:
    """Returns a source as a notebook with outputs.

    The kernel speaks through files and not through the network, so it needs no port and no encryption.

    Args:
        environ: changes of the environment of the kernel.
        folder: its working directory.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised an error.
    """
    notebook = read_source(source)
    metadata = notebook.metadata.copy()
    with tempfile.TemporaryDirectory() as folders:
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(
                kernel_name="python3",
                transport="ipc",
                ip=f"{folders}/kernel",  # a relative path would be looked up in the kernel's own folder
                connection_file=f"{folders}/kernel.json",
            ),
            timeout=CELL_SECONDS,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env={**os.environ, **_nothing_remembered(Path(folders)), **(environ or {})}, cleanup_kc=True)
    notebook.metadata = metadata  # the kernel adds its version
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_empty(output)]
    return notebook


def _nothing_remembered(folder: Path) -> dict[str, str]:
    """Returns the variables for an empty cache: no exercise solved before, no refreshed prices. Fonts stay indexed."""
    fonts = os.environ.get("MPLCONFIGDIR") or str(Path.home() / ".cache" / "matplotlib")
    return {"XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": fonts}


def with_outputs_of(source: Path, made: NotebookNode) -> NotebookNode | None:
    """Returns a source as a notebook with the outputs of one that was made before; None if a code cell has changed.

    The set-up cell may change: what it shows does not depend on what it would install.
    """
    notebook = read_source(source)
    cells, before = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (notebook, made))
    if [_shown_by(cell) for cell in cells] != [_shown_by(cell) for cell in before]:
        return None
    for cell, old in zip(cells, before, strict=True):
        cell.execution_count, cell.outputs = old.execution_count, old.outputs
    return notebook


def _shown_by(cell: NotebookNode) -> str:
    """The code that a cell's output depends on: the last lines of the set-up cell, all of another one."""
    head, marked, rest = str(cell.source).partition("\nimport tuppence as tp\n")
    return rest if marked and head.startswith("import importlib") else str(cell.source)


def _is_empty(output: NotebookNode) -> bool:
    """Whether an output is a progress line that was removed at the end."""
    return output.output_type == "display_data" and not "".join(output.data.get("text/plain", "x")).strip()


def write(notebook: NotebookNode, path: Path) -> None:
    """Writes a notebook, complete or absent."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)


# ---- checks ----------------------------------------------------------------------------------------------------------


def problems_of(source: Path) -> list[str]:
    """Returns what is wrong with a chapter: its source, and the notebook with its outputs."""
    expected = read_source(source)
    found = list(_problems_of_source(expected))
    path = notebook_of(source)
    if not path.exists():
        return [*found, f"{path.name} is missing: make notebooks"]
    notebook = nbformat.read(path, as_version=4)
    if [_content(cell) for cell in notebook.cells] != [_content(cell) for cell in expected.cells]:
        found.append("the cells are not those of the source: make notebooks")
    if notebook.metadata != expected.metadata:
        found.append("source_sha256 or other metadata are not those of the source: make notebooks")
    outputs = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", ()))
    if "· scale test ·" in outputs:
        found.append("the outputs are those of the scale test: make notebooks")
    found += [f"an output names a folder of this machine: {folder}" for folder in sorted(set(_OWN.findall(outputs)))]
    if path.stat().st_size > MOST_BYTES:
        found.append(f"{path.stat().st_size:,} bytes are more than {MOST_BYTES:,}")
    return [*found, *problems_of_outputs(notebook)]


def _content(cell: NotebookNode) -> tuple[str, str, str]:
    return cell.id, cell.cell_type, cell.source


def _problems_of_source(notebook: NotebookNode) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        for figure in measured_numbers(cell.source):
            yield f"cell {number}: {figure!r} is a measured number: compute it, and show it with tp.say"
        for address in pictures(cell.source):
            yield f"cell {number}: a picture is loaded from {address}"


def problems_of_outputs(notebook: NotebookNode) -> list[str]:
    """Returns what is wrong with the outputs: order, errors, stderr, rich's HTML, loaded pictures."""
    found = []
    code = [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source]
    counts = [cell.execution_count for _, cell in code]
    if counts != list(range(1, len(code) + 1)):
        found.append("the cells were not all executed once, in order")
    for number, cell in code:
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number}: {output.ename}: {output.evalue}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {number} wrote to stderr: {output.text.strip()[:200]}")
            page = "".join(output.get("data", {}).get("text/html", ""))
            if "white-space:pre;overflow-x:auto" in page.replace(" ", ""):
                found.append(f"cell {number}: rich's HTML; print plain text, or show a tp.Table")
            found += [f"cell {number}: a picture is loaded from {address}" for address in pictures(page)]
    return found


def measured_numbers(markdown: str) -> list[str]:
    """Returns the digits with units in a text, which a cell should have computed; code, formulas and links apart.

    A comment in the cell allows figures that are definitions: `<!-- figures: 16 GB, 20 tokens -->`.

    Example:
        >>> measured_numbers("It takes 12.5 s and $0.50 for 40% of GPT-2 (2019), under $100.")
        ['12.5 s', '$0.50', '40%']
        >>> measured_numbers("A T4 has 16 GB.\\n<!-- figures: 16 GB -->")
        []
    """
    allowed = {*ALLOWED, *(part for line in _ALLOWED_CELL.findall(markdown) for part in line.split(", "))}
    text = _CODE.sub(" ", _ALLOWED_CELL.sub(" ", markdown))
    found = (" ".join(each.split()).rstrip(".,") for each in _MEASURED.findall(text))
    return [each for each in found if each not in allowed]


def pictures(page: str) -> list[str]:
    """Returns the addresses of pictures that a page loads from elsewhere; Google's Colab badge is allowed."""
    markdown = re.findall(r"!\[[^\]]*\]\((https?:[^)\s]+)", page)
    html = re.findall(r"""(?:src|href)=["']?(https?:[^"'\s>]+\.(?:png|svg|jpe?g|gif|css|js))""", page)
    return [address for address in [*markdown, *html] if address != BADGE]


# ---- the front page --------------------------------------------------------------------------------------------------


def course_receipt() -> str:
    """Returns what all runs of the course cost, as the model card of the last chapter says it."""
    notebook = nbformat.read(notebook_of(sources()[-1]), as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    texts = [str(output["data"].get("text/markdown", "")) for output in outputs]
    (found,) = re.findall(r"All runs of the course on this machine: (.+)", "\n".join(texts))
    return str(found)


def quote_receipt(page: Path = ROOT / "README.md") -> None:
    """Writes the receipt of the course into the front page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(_QUOTED.sub(lambda quoted: quoted[1] + course_receipt(), text), encoding="utf-8")


# ---- command line ----------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Builds or checks the chapters; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the notebooks from their sources, or check them.")
    parser.add_argument("chapters", nargs="*", type=int, help="numbers of chapters; all by default")
    parser.add_argument("--check", action="store_true", help="only check")
    parser.add_argument(
        "--text", action="store_true", help="take over changed text and set-up cells, without executing"
    )
    parser.add_argument("--scale", default="laptop", choices=("test", "laptop", "gpu"))
    parser.add_argument("--repository", metavar="OWNER/NAME", help="write this name into all sources, and stop")
    given = parser.parse_args(arguments)
    if given.repository:
        rename_repository(given.repository)
        return 0
    chosen = [source for source in sources() if not given.chapters or int(source.name[:2]) in given.chapters]
    wrong = 0
    for source in chosen:
        if not given.check:
            renew_set_up(source)
        if given.text and not given.check:
            renewed = with_outputs_of(source, nbformat.read(notebook_of(source), as_version=4))
            if renewed is None:
                print(f"{source.name}: a code cell has changed: execute it", file=sys.stderr)
                return 2
            write(renewed, notebook_of(source))
        elif not given.check:
            began = time.monotonic()
            write(execute(source, {"TUPPENCE_SCALE": given.scale}), notebook_of(source))
            seconds = time.monotonic() - began
            print(f"{notebook_of(source).name}: {seconds:.0f} s", flush=True)
            if given.scale == "laptop":
                today = time.strftime("%Y-%m-%d", time.gmtime())
                record(int(source.name[:2]), Measured(round(seconds, 1), cpu_count(), today))
                quote_receipt()
        for problem in problems_of(source):
            print(f"{source.name}: {problem}", file=sys.stderr)
            wrong += 1
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
