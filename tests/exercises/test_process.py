"""Whatever a learner's function does, it ends with one line, and this process goes on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.exercises.exercise import Exercise, Property, a_number
from tuppence.exercises.finding import Given
from tuppence.exercises.judge import judge
from tuppence.exercises.limits import Limits
from tuppence.exercises.result import Result

LIMITS = Limits(seconds=0.3, memory_bytes=2**29)
ROOMY = Limits(seconds=60, memory_bytes=2**29)


def one_call(function: Callable[..., Any], limits: Limits = ROOMY) -> Result:
    """Checks a function of one number that must return it."""
    same = Property(
        "it is the number itself", lambda draw: [(1.0,)], lambda call, x: None if call(x) == x else "wrong", "…"
    )
    asked = Exercise(1, "same", ("x",), "the number", 1, 1, 1, a_number, (same,), "…", lambda x: x)
    return judge(asked, Given(function), limits=limits, seed=1)


def problem_of(function: Callable[..., Any], limits: Limits = ROOMY) -> str:
    result = one_call(function, limits)
    assert result.status == "failed"
    problem = dict(result.details)["Problem"]
    assert "\n" not in problem
    assert max(map(len, repr(result.details).split("', '"))) < 1500
    return problem


def endless(x):
    while True:
        pass


def sleeping(x):
    time.sleep(1000)


def patient(x):
    """Catches every exception, the one of a time limit too."""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1000)


@pytest.mark.parametrize("function", [endless, sleeping, patient])
def test_a_function_without_end_is_ended(function: Callable[..., Any]) -> None:
    assert problem_of(function, LIMITS) == "the function gives no result within 0.3 seconds"


def ten_gigabytes(x):
    return torch.zeros(10 * 2**30 // 4)


def endless_list(x):
    kept = []
    while True:
        kept.append(bytearray(2**24))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit memory")
@pytest.mark.parametrize("function", [ten_gigabytes, endless_list])
def test_memory_is_limited(function: Callable[..., Any]) -> None:
    assert problem_of(function) == "the function needs more than 0.5 GiB of memory"


def test_a_process_that_ends_itself_is_told() -> None:
    assert problem_of(lambda x: os._exit(5)) == "the function ends its process (exit code 5)"
    assert problem_of(lambda x: os.kill(os.getpid(), 9)) == "the function ends its process with the signal SIGKILL"


def test_sys_exit_is_told() -> None:
    assert problem_of(lambda x: sys.exit(3)).startswith("the function ends the program: SystemExit (line ")


def deep(x):
    return deep(x) + 1


def deeper_than_the_stack(x):
    sys.setrecursionlimit(10**9)
    return deep(x)


def test_a_recursion_without_end_is_told() -> None:
    assert problem_of(deep).startswith("the function raises RecursionError: maximum recursion depth exceeded")
    assert problem_of(deeper_than_the_stack, Limits(seconds=60, memory_bytes=2**25)).startswith(
        ("the function needs more than", "the function crashes")
    )


def test_a_crash_is_told() -> None:
    crash = "the function crashes its process (segmentation fault): does a recursion have no end?"
    assert problem_of(lambda x: ctypes.string_at(0)) == crash


def talkative(x):
    for _ in range(20):
        print("x" * 2**17)
        os.write(2, b"y" * 2**17)
    return x + 1


def test_megabytes_of_output_are_cut_and_do_not_block() -> None:
    result = one_call(talkative)
    printed = dict(result.details)["It printed"]
    assert printed.startswith("xxx")
    assert printed.endswith("… (cut after 1,000 characters)")
    assert len(printed) < 1100


def forging(x):
    print("\x1b[2J\x1b]52;c;ZXZpbA==\x07\n✓ forged: all properties hold\r")
    raise ValueError("\x1b[31mred\n✓ forged")


def test_control_characters_and_forged_lines_are_escaped() -> None:
    result = one_call(forging)
    text = "\n".join(result.lines())
    assert "\x1b" not in text
    assert "\r" not in text
    assert not [line for line in text.splitlines() if line.startswith("✓")]
    assert "\x1b" not in result.html()
    assert "\\x1b[31mred\\n✓ forged" in text


def test_html_is_escaped() -> None:
    def scripting(x):
        raise ValueError("<script>alert(1)</script>")

    assert "<script" not in one_call(scripting).html()


def connecting(x):
    return socket.create_connection(("127.0.0.1", 9), timeout=1)


def connecting_quietly(x):
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except Exception:
        return x


def asking_for_a_name(x):
    return socket.getaddrinfo("localhost", 80)


@pytest.mark.parametrize("function", [connecting, connecting_quietly, asking_for_a_name])
def test_there_is_no_network(function: Callable[..., Any]) -> None:
    assert problem_of(function) == "the function opens a network connection; exercises run without a network"


def interfaces(x):
    names = [name for _, name in socket.if_nameindex()]
    return x if names == ["lo"] and not Path("/proc/net/route").read_text().splitlines()[1:] else 0


def test_the_system_itself_has_no_network_where_it_says_so() -> None:
    result = one_call(interfaces)
    assert result.network in ("namespace", "audit hook")
    if result.network == "namespace":
        assert result.passed


@pytest.mark.parametrize(
    "start", [lambda x: os.fork(), lambda x: os.system("true"), lambda x: subprocess.run(["true"])]
)
def test_other_programs_are_refused(start: Callable[..., Any]) -> None:
    assert problem_of(start) == "the function starts another process; exercises run in one process"


def test_input_has_nobody_to_answer() -> None:
    assert problem_of(lambda x: input("really? ")).startswith("the function raises EOFError: there is nobody to answer")


def writing_to_every_descriptor(x):
    for descriptor in range(3, 200):
        with contextlib.suppress(OSError):
            os.write(descriptor, b'{"value": 1.0, "arguments": []}\nnot a message\n')
    return x


def test_an_answer_that_writes_to_the_connection_changes_nothing_but_its_own_result() -> None:
    problem = dict(one_call(writing_to_every_descriptor).details).get("Problem", "")
    assert problem in ("", "the function writes something into the connection that is not a result")


def test_the_function_has_none_of_the_files_of_this_process(tmp_path: Path) -> None:
    with (tmp_path / "open.txt").open("w") as file:
        descriptor = file.fileno()
        assert problem_of(lambda x: os.write(descriptor, b"x")).startswith("the function raises OSError: [Errno 9]")


def test_closures_and_imports_of_a_notebook_are_there() -> None:
    shift = torch.tensor(0.0)
    assert one_call(lambda x: x + shift).passed


def test_a_change_of_the_function_s_process_stays_there() -> None:
    kept: list[float] = []
    assert one_call(lambda x: kept.append(x) or x).passed
    assert kept == []


def test_a_large_result_is_refused() -> None:
    assert "is larger than 8 MiB" in problem_of(lambda x: torch.zeros(2**22))


@pytest.mark.parametrize("value", [None, "text", object(), torch.ones(2), {1, 2}, [1.0]])
def test_a_result_of_another_type_is_named(value: object) -> None:
    assert problem_of(lambda x: value).startswith("the result is ")


def children() -> set[str]:
    """The processes that this one started and has not waited for; a browser of another test may be one."""
    return {child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()}


def test_no_process_is_left() -> None:
    before = children()
    one_call(endless, LIMITS)
    one_call(lambda x: x)
    assert children() == before


def test_where_the_system_keeps_the_network_python_refuses_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuppence.exercises.confine._leave_network", lambda: False)
    assert one_call(lambda x: x).network == "audit hook"
    assert problem_of(connecting) == "the function opens a network connection; exercises run without a network"
