"""The entry point: exit codes, errors of one line, and a fast `--help`."""

from __future__ import annotations

import io
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from tuppence import cli
from tuppence.core.errors import InputError, Interrupted

Tuppence = Callable[..., "subprocess.CompletedProcess[str]"]

HEAVY = ("torch", "numpy", "boto3", "pydantic", "tiktoken", "transformers", "matplotlib")


@pytest.fixture
def one_verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Replaces the verbs by `verb` and `other`, where `verb` does what the test says."""

    def install(action: Callable[[], None]) -> None:
        app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
        app.command("verb")(action)
        app.command("other")(lambda: None)
        monkeypatch.setattr(cli, "app", app)
        monkeypatch.setattr(cli, "_register_verbs", lambda: None)

    return install


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as finished:
        cli.main(list(arguments))
    assert isinstance(finished.value.code, int)
    return finished.value.code


def raising(error: BaseException) -> Callable[[], None]:
    def verb() -> None:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("row 3 has no text", "name the key"), 2),
        (RuntimeError("surprise"), 1),
        (KeyboardInterrupt(), 130),
        (Interrupted(15), 143),
        (Interrupted(2), 130),
        (typer.Exit(7), 7),
        (typer.Exit(0), 0),
        (typer.Abort(), 130),
    ],
    ids=repr,
)
def test_each_ending_has_its_exit_code(
    error: BaseException, code: int, one_verb: Callable[[Callable[[], None]], None]
) -> None:
    one_verb(raising(error))
    assert exit_code("verb") == code


def test_wrong_input_is_one_line_and_a_hint_on_stderr(
    one_verb: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    one_verb(raising(InputError("row 3 has no text", "name the key")))
    exit_code("verb")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "error: row 3 has no text\n  hint: name the key\n"


def test_a_bug_is_named_as_ours_and_debug_shows_the_traceback(
    one_verb: Callable[[Callable[[], None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    one_verb(raising(ZeroDivisionError("division by zero")))
    exit_code("verb")
    assert "--debug" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        cli.main(["verb", "--debug"])


def test_a_broken_pipe_is_no_error(
    one_verb: Callable[[Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # main closes it
    one_verb(raising(BrokenPipeError()))
    assert exit_code("verb") == 0


def test_debug_prints_a_traceback_in_the_real_program(tuppence: Tuppence) -> None:
    plain = tuppence("report", "no-such-run")
    debug = tuppence("report", "no-such-run", "--debug")
    assert plain.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "hint:" in plain.stderr
    assert "Traceback" in debug.stderr


def test_a_misspelt_verb_or_flag_exits_2_and_points_to_help(tuppence: Tuppence) -> None:
    verb = tuppence("docter")
    assert verb.returncode == 2
    assert "docter" in verb.stderr
    assert "--help" in verb.stderr
    flag = tuppence("doctor", "--jsn")
    assert flag.returncode == 2
    assert "'tuppence doctor --help'" in flag.stderr
    assert len(verb.stderr.splitlines()) == len(flag.stderr.splitlines()) == 2


@pytest.mark.parametrize("words", [["--out", "gs://bucket/run"], ["--out=gs://bucket/run"]])
def test_a_folder_of_an_unknown_scheme_is_refused_and_not_made_here(
    words: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code("data", "synth", "sms", *words) == 2
    assert "gs://bucket/run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_a_verb_the_help_is_shown(tuppence: Tuppence) -> None:
    answer = tuppence()
    assert answer.returncode == 2
    assert "doctor" in answer.stderr


def test_help_lists_the_verbs_in_the_order_of_a_models_life_however_often_it_is_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(2):
        assert exit_code("--help") == 0
        listed = re.findall(r"^  ([a-z]+) {2,}\S", capsys.readouterr().out.partition("Commands:")[2], re.MULTILINE)
        assert tuple(listed) == cli.LIFE
    names = [command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback]
    assert len(names) == len(set(names))


def leaf_verbs() -> list[list[str]]:
    cli._register_verbs()
    found: list[list[str]] = []

    def walk(command: object, path: list[str]) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found.append(path)
        else:
            for name, child in children.items():
                walk(child, [*path, name])

    walk(typer.main.get_command(cli.app), [])
    return found


@pytest.mark.parametrize("path", leaf_verbs(), ids=" ".join)
def test_the_help_of_every_verb_shows_an_example(
    path: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_register_verbs", lambda: None)  # `leaf_verbs` did
    assert exit_code(*path, "--help") == 0
    shown = capsys.readouterr().out
    assert re.search(rf"^ +(\$ )?tuppence {' '.join(path)}\b", shown, re.MULTILINE), "an example on a line of its own"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tuppence.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stderr.strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="resource is POSIX")
def test_help_takes_less_than_three_tenths_of_a_second() -> None:
    # processor time, not the clock's: other work on the machine does not count against us
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'tuppence', '--help'], stdout=subprocess.DEVNULL, check=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert statistics.median(seconds) < 0.3
