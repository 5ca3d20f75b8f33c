"""Errors for exhausted memory, and allocator settings that make training on a CPU faster.

Verbs that use torch apply the settings before they import it.

Every training step allocates and frees the same hundreds of megabytes. By default glibc returns such large blocks to
the system immediately, and the system provides new ones in pages of 4 KiB, which it zeroes at the first access. Keeping
freed blocks and using pages of 2 MiB avoids this work. Measurements are in benchmarks/LOG.md. Results stay identical to
the bit.
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
    """Sets glibc to keep freed blocks, and torch to use large pages. Does nothing on systems other than Linux.

    Args:
        large_pages: useful if every step has the same shapes. If batches differ in length, blocks that begin at
            multiples of 2 MiB leave holes between them: a LoRA step was not faster and needed a quarter more memory.
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
    """Translates an error of exhausted memory, on a GPU or in the machine; returns None for any other error.

    Args:
        error: an exception from torch, numpy, Python or a compiler.
        hint: what the user can do.

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
    """Translates errors of exhausted memory with `out_of_memory`.

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
    """Converts bytes (torch's CPU allocator) to GiB; amounts in MiB or GiB (its CUDA allocator) stay unchanged."""
    number, _, unit = amount.partition(" ")
    return amount if unit != "bytes" else f"{float(number) / 2**30:.2f} GiB"
