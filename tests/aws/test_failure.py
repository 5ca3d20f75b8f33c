from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.aws.failure import failure_line, write_failure


@pytest.mark.parametrize(
    ("lines", "code", "expected"),
    [
        (["error: no GPU", "  hint: use another instance", "step 3"], 2, "no GPU (use another instance)"),
        (
            ["Traceback (most recent call last):", "[rank0]: ValueError: x", "torch…ChildFailedError: "],
            1,
            "ValueError: x",
        ),
        (["step 3", ""], 1, "step 3"),
        ([], 7, "the process ended with exit code 7"),
        (
            ["step 3"],
            137,
            "the process was killed (SIGKILL); the memory of the machine may be too small. Its last line: step 3",
        ),
    ],
)
def test_the_most_useful_line_is_found(lines: list[str], code: int, expected: str) -> None:
    assert failure_line(lines, code) == expected


def test_control_characters_are_escaped_and_secrets_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "planted-session-token")
    line = failure_line(["error: \x1b[31mGET https://me:word@host AKIAIOSFODNN7EXAMPLE planted-session-token"], 1)
    assert line == "\\x1b[31mGET https://***@host *** ***"


def test_a_line_fits_into_the_reason_of_aws(tmp_path: Path) -> None:
    write_failure(tmp_path / "output" / "failure", failure_line(["error: " + "x" * 5000], 1))
    assert len((tmp_path / "output" / "failure").read_text()) <= 1024
