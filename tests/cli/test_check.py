"""`tuppence check`: lists, cards, a learner's file, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.cli import main
from tuppence.exercises import EXERCISES

Call = Callable[..., tuple[int, str, str]]

RIGHT = "def grad_by_hand(x):\n    return 2 * x + 3\n"
WRONG = "def grad_by_hand(x):\n    return x**2 + 3 * x + 1\n"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["check", *words])
        assert isinstance(left.value.code, int)
        return left.value.code, *capsys.readouterr()

    return run


def test_without_a_file_the_exercises_are_listed_with_what_is_solved(call: Call, tmp_path: Path) -> None:
    code, out, _ = call()
    assert code == 0
    assert out.startswith(f"0 of {len(EXERCISES)} exercises are solved\n○ count_parameters: chapter 1")
    (tmp_path / "my.py").write_text(RIGHT)
    assert call("grad_by_hand") == (0, "✓ grad_by_hand: all 2 properties hold\n", "")
    assert "\n✓ grad_by_hand: chapter 1" in call()[1]


def test_a_check_without_a_file_says_how_to_give_or_begin_one(call: Call) -> None:
    code, out, errors = call("attention")
    assert (code, out) == (2, "")
    assert errors.startswith("error: there is no file with your functions: no --module, and no my.py here\n  hint: ")
    assert "tuppence check attention --stubs > my.py" in errors


def test_list_and_errors_do_not_wait_for_torch(tmp_path: Path) -> None:
    code = """
import sys
from tuppence.cli import main
for words in ([], ["atention"], ["3"], ["3", "--module", "no.py"], ["9", "--stubs"]):
    try:
        main(["check", *words])
    except SystemExit as end:
        print("code", end.code)
print("torch" in sys.modules)
"""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if line.startswith("code")] == ["code 0", *["code 2"] * 4]
    assert done.stdout.endswith("False\n")


def test_an_unsolved_exercise_exits_with_3(call: Call, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(WRONG)
    code, out, _ = call("grad_by_hand", "--module", "other.py", "--seed", "7")
    assert code == 3
    assert "Property     it is the slope" in out
    assert "Same inputs  seed 7" in out


def test_a_chapter_checks_all_its_functions(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(RIGHT)
    code, out, _ = call("1", "--json")
    found = {row["exercise"]: row["status"] for row in json.loads(out)["exercises"]}
    assert code == 3
    assert found["grad_by_hand"] == "passed"
    assert found["count_parameters"] == "not written"


def test_a_file_alone_checks_what_it_has(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text(RIGHT)
    assert call("--module", "my.py")[:2] == (0, "✓ grad_by_hand: all 2 properties hold\n")
    (tmp_path / "empty.py").write_text("")
    code, _, errors = call("--module", "empty.py")
    assert code == 2
    assert errors.startswith("error: empty.py has no function of an exercise\n  hint: ")


def test_stubs_are_a_file_in_which_nothing_is_written_yet(call: Call, tmp_path: Path) -> None:
    for words in ((), ("3",)):
        (tmp_path / "my.py").write_text(call(*words, "--stubs")[1])
        code, out, _ = call("3", "--json")
        assert code == 3
        assert {row["status"] for row in json.loads(out)["exercises"]} == {"not written"}


def test_a_file_that_fails_to_load_says_where(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("def grad_by_hand(x):\n    return 2 x\n")
    assert call("grad_by_hand")[1] == "✗ grad_by_hand: the file raises SyntaxError: invalid syntax (line 2)\n"
    (tmp_path / "broken.py").write_text("\n\nx = = 1\n")
    (tmp_path / "my.py").write_text("import broken\n" + RIGHT)
    out = call("grad_by_hand")[1]
    assert out == "✗ grad_by_hand: the file raises SyntaxError: invalid syntax (broken.py, line 3) (line 1)\n"
    (tmp_path / "my.py").write_text("import nothing_of_this_name\n" + RIGHT)
    out = call("grad_by_hand")[1]
    assert "the file raises ModuleNotFoundError: No module named 'nothing_of_this_name' (line 1)" in out


def test_a_file_that_fails_to_load_is_loaded_once(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("open('loads', 'a').write('x')\nraise SystemExit\n")
    code, out, _ = call("1")
    assert code == 3
    assert out.startswith("✗ count_parameters: the file ends the program: SystemExit (line 2)\n    Hint  Code outside ")
    assert out.count("\n") == 2
    assert (tmp_path / "loads").read_text() == "x"


def test_a_file_that_prints_before_it_fails_shows_what_it_printed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("print('loading', flush=True)\nraise ValueError('no data')\n")
    out = call("grad_by_hand")[1]
    assert out == "✗ grad_by_hand: the file raises ValueError: no data (line 2)\n    It printed  loading\n"


def test_another_value_with_the_name_of_an_exercise_is_no_function(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("grad_by_hand = 3\n")
    for words in (("grad_by_hand",), ("--module", "my.py")):
        code, out, _ = call(*words)
        assert code == 3
        assert out.startswith("✗ grad_by_hand: grad_by_hand is a value of the type int, no function\n    Write ")


def test_a_pipe_is_refused_before_it_is_opened(call: Call, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    code, _, errors = call("1", "--module", "pipe.py")
    assert code == 2
    assert errors.startswith("error: pipe.py is a pipe, not a Python file")


def test_a_file_can_import_its_neighbours_and_leaves_no_bytecode(call: Call, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("SLOPE = 2\n")
    (tmp_path / "my.py").write_text("from helper import SLOPE\ndef my_grad_by_hand(x):\n    return SLOPE * x + 3\n")
    assert call("grad_by_hand")[0] == 0
    assert not list(tmp_path.glob("__pycache__"))
    assert "helper" not in sys.modules


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("atention",), "error: there is no exercise 'atention'\n  hint: did you mean attention?"),
        (("9",), "error: chapter 9 has no exercises\n  hint: choose a chapter from 1 to "),
        (("3", "--module", "no.py"), "error: cannot read no.py"),
        (("3", "--module", "."), "error: cannot read .: Is a directory"),
        (("3", "--module", "notes.txt"), "error: notes.txt is not a Python file"),
        (("3", "--watch"), "error: there is no file with your functions"),
        (("--watch",), "error: there is no file with your functions"),
    ],
)
def test_wrong_input_exits_with_2(call: Call, tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "notes.txt").write_text("")
    code, _, errors = call(*words)
    assert code == 2
    assert errors.startswith(message)


def test_watching_checks_again_when_the_file_changes(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "my.py"
    file.write_text(WRONG)
    changes = iter([lambda: file.unlink(), lambda: file.write_text(RIGHT), lambda: None])

    def sleep(seconds: float) -> None:
        change = next(changes, None)
        if change is None:
            raise KeyboardInterrupt
        change()

    monkeypatch.setattr("tuppence.cli.check.pause", sleep)
    code, out, errors = call("grad_by_hand", "--watch")
    assert code == 130
    assert out.startswith("✗ grad_by_hand")
    assert out.endswith("✓ grad_by_hand: all 2 properties hold\n")
    assert "my.py has changed" in errors
