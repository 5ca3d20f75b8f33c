"""The process of a learner's function: it gets arguments, calls the function, and returns results.

It knows no property and no answer; those stay in the parent. It is forked, so that a function from a notebook keeps
its closure and everything that its cells imported. `process` is the parent's side.
"""

from __future__ import annotations

import builtins
import hashlib
import inspect
import io
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor

from tuppence.core.memory import out_of_memory
from tuppence.exercises import confine, plain
from tuppence.exercises.limits import Limits


class Load(Protocol):
    """Finds a learner's function, in its new process."""

    @property
    def file(self) -> str | None:
        """The file of the code; None: that of the function."""

    def __call__(self) -> Any:
        """Returns the function; None if there is none; another value if something else has its name."""


_TEXT_LENGTH = 300
_NAME_LENGTH = 60


def run_child(load: Load, parameters: int, control: int, output: int, limits: Limits) -> NoReturn:
    """Runs the process until the parent closes `control`. Never returns.

    Args:
        load: finds the function.
        parameters: the number of arguments it will be called with.
        control: descriptor of a socket; requests are read from it and replies are written to it.
        output: descriptor of a pipe for all that the code prints.
    """
    try:
        _prepare(control, output)
        network = confine.without_network()
        confine.limit_files()
        confine.limit_memory(limits.memory_bytes)
        confine.limit_cpu(limits.seconds)
        _serve(load, parameters, control, limits, network)
    finally:
        os._exit(0)


def _prepare(control: int, output: int) -> None:
    """Leaves this process nothing of its parent but memory: no files, no signals, no terminal."""
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGHUP, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, control)
    os.closerange(control + 1, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    builtins.input = _no_input  # a notebook's own would ask in the browser
    torch.set_num_threads(1)  # the threads of the parent do not exist here
    torch.set_grad_enabled(True)


def _stream(descriptor: int) -> io.TextIOWrapper:
    raw = io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False))
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _no_input(prompt: object = "", /) -> str:
    raise EOFError("there is nobody to answer input()")


def _serve(load: Load, parameters: int, control: int, limits: Limits, network: confine.Network) -> None:
    requests = read_lines(control)
    function: Any = None
    try:
        function = load()
    except BaseException as error:
        write_all(control, plain.dumps({"error": _describe(error, load.file)}))
        return
    file = load.file or getattr(getattr(function, "__code__", None), "co_filename", None)
    write_all(control, plain.dumps({"network": network, **_facts(function, parameters)}))
    if not callable(function):
        return
    for line in requests:
        request = plain.loads(line)
        if request["fresh"]:
            confine.limit_cpu(limits.seconds)
        try:
            reply = _answer(function, request)
            message = plain.dumps(reply)
        except BaseException as error:
            message = plain.dumps({"error": _describe(error, file)})
        sys.stdout.flush()
        write_all(control, message)


def _facts(function: Any, parameters: int) -> dict[str, Any]:
    """What the parent learns before the first call: signature, and whether it fits."""
    if not callable(function):
        return {"found": False, "other": None if function is None else type(function).__name__[:_NAME_LENGTH]}
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError):  # some builtins have none
        return {"found": True, "signature": "(...)", "fits": True, "empty": False, "digest": ""}
    try:
        signature.bind(*range(parameters))
        fits = True
    except TypeError:
        fits = False
    code = getattr(inspect.unwrap(function), "__code__", None)
    names = ", ".join(_shown(parameter) for parameter in signature.parameters.values())
    return {
        "found": True,
        "signature": f"({names})"[:_TEXT_LENGTH],
        "fits": fits,
        "empty": isinstance(code, CodeType) and _is_empty(code),
        "digest": _digest(code) if isinstance(code, CodeType) else "",
    }


def _shown(parameter: inspect.Parameter) -> str:
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    default = "" if parameter.default is inspect.Parameter.empty else "=…"
    return stars.get(parameter.kind, "") + parameter.name + default


def _is_empty(code: CodeType) -> bool:
    """Whether a function does nothing: `pass`, `...` or only a docstring."""
    return any(code.co_code == empty.__code__.co_code for empty in (_nothing, _documented)) and not any(
        constant is not None and not isinstance(constant, str) for constant in code.co_consts
    )


def _nothing() -> None:
    pass


def _documented() -> None:
    """Nothing but a docstring."""


def _digest(code: CodeType) -> str:
    """A digest of a function's instructions, constants and names: another try has another one."""
    digest = hashlib.sha256()

    def add(code: CodeType) -> None:
        digest.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                add(constant)
            else:
                digest.update(repr(constant).encode(errors="replace"))

    add(code)
    return digest.hexdigest()[:16]


def _answer(function: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "device":
        return {"value": "cuda" if torch.cuda.is_available() else "cpu"}
    random.seed(0)
    torch.manual_seed(0)
    if request["do"] == "calls":
        return {"value": [function(*arguments) for arguments in request["arguments"]]}
    arguments = request["arguments"]
    if not request["gradients"]:
        value = function(*arguments)
        return {"value": value, "arguments": arguments}
    inputs = [tensor.requires_grad_() for tensor in float_tensors(arguments)]
    value = function(*arguments)
    return {"value": value, "gradients": gradients(value, inputs)}


def float_tensors(value: Any) -> list[Tensor]:
    """The floating-point tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in float_tensors(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in float_tensors(item)]
    return []


def gradients(value: Any, inputs: list[Tensor]) -> list[Tensor] | None:
    """The gradient of a weighted sum of a result, for each input; zeros for one that it does not depend on.

    Returns:
        None if the result is not connected to any of them.
    """
    results = [tensor for tensor in float_tensors(value) if tensor.requires_grad]
    if not results:
        return None
    result = results[0].flatten()
    weights = torch.arange(result.numel(), dtype=result.dtype).cos() + 2
    found = torch.autograd.grad((result * weights).sum(), inputs, allow_unused=True)
    return [
        torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip(inputs, found, strict=True)
    ]


def _describe(error: BaseException, file: str | None) -> dict[str, Any]:
    """What an exception was, and the line of the learner's code where it was raised."""
    if isinstance(error, plain.TooLargeError | confine.NotAllowedError):
        return {"kind": "refused", "text": str(error)}
    if out_of_memory(error, "") is not None or _lost_memory_error(error):
        return {"kind": "memory"}
    kind = "exit" if isinstance(error, SystemExit) else "exception"
    if isinstance(error, NotImplementedError):
        kind = "not written"
    try:
        own = isinstance(error, SyntaxError) and error.filename == file  # its str() repeats the file and the line
        text = (error.msg if own else str(error))[:_TEXT_LENGTH]  # type: ignore[attr-defined]
    except Exception:
        text = ""
    return {"kind": kind, "type": type(error).__name__, "text": text, "line": _line_of(error, file)}


def _lost_memory_error(error: BaseException) -> bool:
    """Whether Python lost a MemoryError, as it does if there is no memory for the frame of a call."""
    return isinstance(error, SystemError) and "without exception set" in str(error)


def _line_of(error: BaseException, file: str | None) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__, limit=-100)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return lines[-1] if lines else None


def write_all(descriptor: int, content: bytes) -> None:
    """Writes all of `content`, however many calls it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def read_lines(descriptor: int) -> Iterator[bytes]:
    """Yields the lines of a descriptor until its end."""
    rest = b""
    while True:
        line, newline, after = rest.partition(b"\n")
        if newline:
            yield line
            rest = after
            continue
        piece = os.read(descriptor, 2**16)
        if not piece:
            return
        rest += piece
        if len(rest) > 2 * plain.LARGEST_BYTES:
            return
