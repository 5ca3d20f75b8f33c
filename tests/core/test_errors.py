from __future__ import annotations

import contextlib
import pickle

import pytest

from tuppence.core.errors import (
    CorruptFileError,
    InputError,
    Interrupted,
    MissingExtraError,
    NonFiniteError,
    OutOfSpaceError,
    TuppenceError,
)


@pytest.mark.parametrize(
    "error",
    [
        InputError("what is wrong", "what to do"),
        CorruptFileError("torn", "make it again"),
        OutOfSpaceError("full", "free some"),
        NonFiniteError("NaN", "lower the rate"),
        MissingExtraError("matplotlib", "plot", "tuppence report"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_keeps_message_and_hint_when_it_is_pickled(error: TuppenceError) -> None:
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - what multiprocessing does
    assert type(arrived) is type(error)
    assert (arrived.message, arrived.hint, arrived.exit_code) == (error.message, error.hint, 2)
    assert str(arrived) == error.message


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    error = MissingExtraError("matplotlib", "plot", "tuppence report")
    assert error.message == "tuppence report needs matplotlib"
    assert error.hint == "pip install 'tuppence[plot]'"


@pytest.mark.parametrize(("signal_number", "code"), [(2, 130), (15, 143)])
def test_an_interruption_exits_as_the_shell_expects(signal_number: int, code: int) -> None:
    assert Interrupted(signal_number).exit_code == code


def test_an_interruption_passes_through_except_exception() -> None:
    def careless() -> None:
        with contextlib.suppress(Exception):  # torch.compile has such handlers
            raise Interrupted(15)

    with pytest.raises(Interrupted):
        careless()
