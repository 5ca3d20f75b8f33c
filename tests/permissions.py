"""Doors that are closed to root, too: a test run in a container is root, whom no permission stops."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

import pytest

_VERSION_3 = 0x20080522  # linux/capability.h
_DAC_OVERRIDE_AND_READ_SEARCH = 0b110


@contextlib.contextmanager
def permissions_count() -> Iterator[None]:
    """Inside, this thread gets EACCES where anybody would; root keeps the right to take its rights back."""
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root's rights can be laid down on Linux only")
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        pytest.skip("this system does not tell root's rights")
    before = sets[0]
    sets[0] = before & ~_DAC_OVERRIDE_AND_READ_SEARCH
    if libc.capset(header, sets) != 0:
        pytest.skip("this system does not let root lay its rights down")
    try:
        yield
    finally:
        sets[0] = before
        assert libc.capset(header, sets) == 0
