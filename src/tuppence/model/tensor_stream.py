"""Writes a safetensors file tensor by tensor, so that memory holds one piece of one tensor at a time.

safetensors' own `save_file` takes whole tensors. The file here has the same bytes: an 8-byte header size, a JSON header
with dtype, shape and offsets of each tensor, and the data (https://github.com/huggingface/safetensors#format).
Sharded training saves its checkpoints with it (`training.shards`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_NAMES = {  # in the order of safetensors' files
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
}


@dataclass(frozen=True)
class StreamedTensor:
    """A tensor that is produced while the file is written.

    Attributes:
        dtype, shape: of the whole tensor.
        pieces: returns consecutive rows of the tensor, on any device; together they are the whole tensor.
    """

    dtype: torch.dtype
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[Tensor]]

    @property
    def nbytes(self) -> int:
        """Size of the whole tensor in bytes."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


def file_order(tensors: Mapping[str, StreamedTensor]) -> list[str]:
    """Names in the order of the file: wide dtypes first, so that every tensor is aligned; then by name."""
    return sorted(tensors, key=lambda name: (list(_NAMES).index(tensors[name].dtype), name))


def stream_tensors(tensors: Mapping[str, StreamedTensor], path: Path) -> None:
    """Writes a safetensors file, with the metadata that transformers expects. Call it in `atomic_folder`.

    The pieces of a tensor are asked for in the order of `file_order`.

    Raises:
        OSError: the disk is full, or the file cannot be written.
        ValueError: the pieces of a tensor have another size than the tensor.
    """
    order, end = file_order(tensors), 0
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    for name in order:
        tensor, start = tensors[name], end
        end += tensor.nbytes
        entries[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            written = 0
            for piece in tensors[name].pieces():
                written += file.write(_bytes(piece))
            if written != tensors[name].nbytes:
                raise ValueError(f"{name} has {tensors[name].nbytes:,} bytes, and its pieces have {written:,}")


def _bytes(piece: Tensor) -> Any:
    flat = piece.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy()
