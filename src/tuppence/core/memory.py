"""Allocator settings that make training on a CPU faster. Called by the verbs that compute, before torch is imported.

A training step allocates and frees the same hundreds of megabytes again and again. By default glibc gives blocks that
large back to the system at once, and the system hands out fresh ones in pages of 4 KiB, each zeroed at first touch.
Kept blocks and pages of 2 MiB save that; what it brings is in benchmarks/LOG.md. No result changes by a bit.
"""

from __future__ import annotations

import ctypes
import os
import sys

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
