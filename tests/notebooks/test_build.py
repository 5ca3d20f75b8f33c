"""Notebooks from sources: the same bytes twice, and checks that find what is wrong."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from tests.conftest import ROOT

SOURCE = """# %% [markdown]
# # Is one and one two?

# %%
print("one", flush=True)
total = 1 + 1
print("two", flush=True)

# %%
total
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "01_Sum.py"
    path.write_text(SOURCE)
    return path


@pytest.fixture
def made(build: ModuleType, source: Path) -> Path:
    """A notebook as if it was executed."""
    notebook = build.read_source(source)
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    build.write(notebook, build.notebook_of(source))
    return build.notebook_of(source)


def changed(path: Path, change: Any) -> None:
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    nbformat.write(notebook, path)


def test_two_executions_give_the_same_bytes_and_the_outputs_of_the_cells(build: ModuleType, source: Path) -> None:
    contents = []
    for _ in range(2):
        build.write(build.execute(source, folder=source.parent), build.notebook_of(source))
        contents.append(build.notebook_of(source).read_bytes())
    assert contents[0] == contents[1]
    assert build.problems_of(source) == []
    notebook = nbformat.read(build.notebook_of(source), as_version=4)
    nbformat.validate(notebook)
    _, first, second = notebook.cells
    assert [output.text for output in first.outputs] == ["one\ntwo\n"]
    assert second.outputs[0].data == {"text/plain": "2"}


def test_a_cells_id_changes_with_its_source_alone(build: ModuleType, source: Path) -> None:
    before = [cell.id for cell in build.read_source(source).cells]
    source.write_text(SOURCE.replace("1 + 1", "2 + 1"))
    after = [cell.id for cell in build.read_source(source).cells]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_a_notebook_in_step_has_no_problem(build: ModuleType, source: Path, made: Path) -> None:
    assert build.problems_of(source) == []


def test_a_changed_source_is_found(build: ModuleType, source: Path, made: Path) -> None:
    source.write_text(SOURCE.replace("total = 1 + 1", "total = 2"))
    assert [problem.partition(":")[0] for problem in build.problems_of(source)] == [
        "the cells are not those of the source",
        "source_sha256 or other metadata are not those of the source",
    ]


def test_changed_text_is_taken_over_without_executing_and_changed_code_is_not(
    build: ModuleType, source: Path, made: Path
) -> None:
    before = nbformat.read(made, as_version=4)
    before.cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="one")]
    source.write_text(SOURCE.replace("# # Is", "# # So is"))
    build.write(build.with_outputs_of(source, before), made)
    assert build.problems_of(source) == []
    assert nbformat.read(made, as_version=4).cells[1].outputs[0].text == "one"
    source.write_text(SOURCE.replace("1 + 1", "1 + 2"))
    assert build.with_outputs_of(source, before) is None


def test_a_changed_set_up_cell_keeps_the_outputs(build: ModuleType, source: Path) -> None:
    cell = f"\n# %%\n{build.set_up_cell(1)}\n"
    source.write_text(SOURCE + cell)
    before = build.read_source(source)
    before.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="Chapter 1")]
    source.write_text(SOURCE + cell.replace("[plot", "[plot,files"))
    assert build.with_outputs_of(source, before).cells[-1].outputs[0].text == "Chapter 1"
    source.write_text(SOURCE + cell.replace("tp.chapter(1)", "tp.chapter(2)"))
    assert build.with_outputs_of(source, before) is None


def test_a_missing_notebook_is_found(build: ModuleType, source: Path) -> None:
    assert "is missing" in build.problems_of(source)[0]


def _error(cell: Any) -> None:
    cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]


def _stderr(cell: Any) -> None:
    cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="warning")]


def _rich(cell: Any) -> None:
    page = '<pre style="white-space:pre;overflow-x:auto;line-height:normal">table</pre>'
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": page})]


def _picture(cell: Any) -> None:
    page = '<img src="https://example.org/picture.png">'
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": page})]


def _order(cell: Any) -> None:
    cell.execution_count = 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_error, "ValueError: no"),
        (_stderr, "wrote to stderr: warning"),
        (_rich, "rich's HTML"),
        (_picture, "a picture is loaded from https://example.org/picture.png"),
        (_order, "not all executed once, in order"),
    ],
)
def test_bad_outputs_are_found(build: ModuleType, source: Path, made: Path, change: Any, said: str) -> None:
    changed(made, lambda notebook: change(notebook.cells[2]))
    (problem,) = build.problems_of(source)
    assert said in problem


def test_outputs_of_the_scale_test_and_folders_of_a_machine_are_found(
    build: ModuleType, source: Path, made: Path
) -> None:
    text = "Chapter 1 · scale test · cpu\nwritten to /home/ada/runs/x and https://example.org/home/page\n"
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    changed(made, lambda notebook: notebook.cells[2].outputs.append(output))
    assert build.problems_of(source) == [
        "the outputs are those of the scale test: make notebooks",
        "an output names a folder of this machine: /home/ada",
    ]


def test_a_large_notebook_is_found(build: ModuleType, source: Path, made: Path) -> None:
    text = "x" * (build.MOST_BYTES + 1)
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    changed(made, lambda notebook: notebook.cells[2].outputs.append(output))
    (problem,) = build.problems_of(source)
    assert "bytes are more than" in problem


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It takes 12.5 s and $0.50.", ["12.5 s", "$0.50"]),
        ("40% of 1,638,400 tokens at 2.6 × the speed", ["40%", "1,638,400 tokens", "2.6 ×"]),
        ("64 MiB, 3 minutes, 0.38 nats", ["64 MiB", "3 minutes", "0.38 nats"]),
        ("GPT-2 124M of 2019 (arXiv:1706.03762), under $100, in chapter 3, 3 × 4", []),
        ("$12\\,L\\,d\\,T$ and $6N$ steps, from $3 to $7", ["$3", "$7"]),
        ("`steps = 12 s`, $x_1 + 2$ and [ten](https://example.org/10s)", []),
        ("A T4 has 16 GB.\n<!-- figures: 16 GB -->", []),
        ("A T4 has 17 GB.\n<!-- figures: 16 GB -->", ["17 GB"]),
    ],
)
def test_measured_numbers_are_told_from_definitions(build: ModuleType, text: str, found: list[str]) -> None:
    assert build.measured_numbers(text) == found


def test_the_badge_is_the_one_picture_from_elsewhere(build: ModuleType) -> None:
    badge = f"[![Open in Colab]({build.BADGE})](https://colab.research.google.com/github/o/n)"
    assert build.pictures(badge) == []
    assert build.pictures("![a](https://example.org/a.png)") == ["https://example.org/a.png"]
    assert build.pictures('<script src="https://cdn.example.org/x.js">') == ["https://cdn.example.org/x.js"]


def test_the_front_page_has_the_receipt_of_the_course(build: ModuleType, tmp_path: Path) -> None:
    front, copy = ROOT / "README.md", tmp_path / "README.md"
    quoted = f"<!-- the receipt in chapter 8 -->\n> {build.course_receipt()}\n"
    assert quoted in front.read_text(encoding="utf-8"), "call quote_receipt() of notebooks/build.py"
    copy.write_text(front.read_text(encoding="utf-8").replace(build.course_receipt(), "unknown"), encoding="utf-8")
    build.quote_receipt(copy)
    assert copy.read_text(encoding="utf-8") == front.read_text(encoding="utf-8")
