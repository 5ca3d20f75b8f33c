"""Optional: one sequence decoded on a CPU by compiled code. Nothing else in `model` depends on what is in here.

`decode_step.cpp` repeats the mathematics of `gpt` for one token, because torch's overhead for each operation exceeds
the operation itself there. `library` compiles it on first use; without a compiler, `generate` uses the ordinary path.
"""
