"""Optional: compiled code that decodes one sequence on a CPU. `generate` works without this package.

`decode_step.cpp` implements the mathematics of `gpt` for one token, because torch's overhead for each operation is
larger than the operation itself. `build` compiles it on first use; without a compiler, `generate` uses torch.
"""

from tuppence.model.native.build import library

__all__ = ["library"]
