"""Memory: what to do where it runs out, and allocator settings that make training on a CPU faster.

The settings are called by the verbs that compute, before torch is imported.

A training step allocates and frees the same hundreds of megabytes again and again. By default glibc gives blocks that
large back to the system at once, and the system hands out fresh ones in pages of 4 KiB, each zeroed at first touch.
Kept blocks and pages of 2 MiB save that; what it brings is in benchmarks/LOG.md. No result changes by a bit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
from collections.abc import Iterator

from tuppence.core.errors import OutOfMemoryError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory(*, large_pages: bool = True) -> None:
    """Asks glibc to keep freed blocks, and torch to ask for large pages. Does nothing on other systems.

    Args:
        large_pages: worth it where every step has the same shapes. Where batches differ in length, blocks that begin at
            multiples of 2 MiB leave holes between them: a LoRA step was no faster and took a quarter more memory.
    """
    if not sys.platform.startswith("linux"):
        return
    if large_pages:
        os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # read by torch's CPU allocator
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_M_MMAP_THRESHOLD, _LARGEST)
    mallopt(_M_TRIM_THRESHOLD, _LARGEST)


_RAN_OUT = re.compile(
    r"out of memory|can.t allocate memory|cannot allocate memory|not enough memory|CUBLAS_STATUS_ALLOC_FAILED"
    r"|CUDNN_STATUS_ALLOC_FAILED|std::bad_alloc",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"tried to allocate ([\d.]+ ?\w*)", re.IGNORECASE)


def out_of_memory(error: BaseException, hint: str) -> OutOfMemoryError | None:
    """What to tell a person where an error says that memory ran out, on a GPU or in the machine; None for any other.

    Args:
        error: as torch, numpy, Python or a compiler raised it.
        hint: what to do about it.

    Example:
        >>> str(out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …"), "…"))
        'the GPU has not enough memory (2.00 GiB more were asked for)'
        >>> out_of_memory(RuntimeError("shapes do not fit"), "…")
    """
    text = str(error)
    if not (isinstance(error, MemoryError) or (isinstance(error, RuntimeError | OSError) and _RAN_OUT.search(text))):
        return None
    where = "the GPU" if re.search(r"\b(CUDA|CUBLAS|CUDNN|MPS|HIP)", text) else "this machine"
    amount = _AMOUNT.search(text)
    asked = f" ({_in_gib(amount[1])} more were asked for)" if amount else ""
    return OutOfMemoryError(f"{where} has not enough memory{asked}", hint)


@contextlib.contextmanager
def explaining_memory(hint: str) -> Iterator[None]:
    """Turns an error that says that memory ran out into one that says what to do.

    Raises:
        OutOfMemoryError: memory ran out inside the block.
    """
    try:
        yield
    except Exception as error:
        known = out_of_memory(error, hint)
        if known is None:
            raise
        raise known from error


def _in_gib(amount: str) -> str:
    """torch's CPU allocator counts bytes, its CUDA allocator says MiB or GiB."""
    number, _, unit = amount.partition(" ")
    return amount if unit != "bytes" else f"{float(number) / 2**30:.2f} GiB"
