"""A streamed file has the bytes that safetensors' own writer gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tuppence.model.tensor_stream import StreamedTensor, stream_tensors


def streamed(tensor: Tensor) -> StreamedTensor:
    """The tensor in pieces of two rows."""

    def pieces() -> Iterator[Tensor]:
        return iter(tensor.split(2) if tensor.ndim else [tensor])

    return StreamedTensor(tensor.dtype, tuple(tensor.shape), pieces)


def test_the_file_has_the_bytes_of_safetensors(tmp_path: Path) -> None:
    tensors = {
        "b.weight": torch.randn(5, 3),
        "a.größe": torch.randn(3, 5).t().contiguous().bfloat16(),
        "ids": torch.arange(7),
        "a.bias": torch.randn(4),
        "step": torch.tensor(12.0),
        "none": torch.zeros(0, 3),
        "half": torch.randn(2, 2).half(),
        "double": torch.randn(3).double(),
        "short": torch.arange(3, dtype=torch.int32),
    }
    save_file(tensors, tmp_path / "theirs", {"format": "pt"})
    stream_tensors({name: streamed(tensor) for name, tensor in tensors.items()}, tmp_path / "ours")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_a_column_of_a_matrix_is_a_piece_like_any_other(tmp_path: Path) -> None:
    matrix = torch.arange(6.0).reshape(2, 3).t()  # not contiguous
    save_file({"x": matrix.contiguous()}, tmp_path / "theirs", {"format": "pt"})
    stream_tensors({"x": streamed(matrix)}, tmp_path / "ours")
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_pieces_that_are_not_the_whole_tensor_are_an_error(tmp_path: Path) -> None:
    short = StreamedTensor(torch.float32, (4,), lambda: iter([torch.zeros(3)]))
    with pytest.raises(ValueError, match="x has 16 bytes, and its pieces have 12"):
        stream_tensors({"x": short}, tmp_path / "file")
