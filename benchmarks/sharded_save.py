"""Time and memory of saving and loading a checkpoint when the ranks divide the model, and when each has the whole one.

    torchrun --nproc-per-node 2 benchmarks/sharded_save.py [PRESET]

Trains one step on random tokens, saves and restores on the CPU, and prints seconds and the growth of the peak resident
memory during each, for every rank.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from tuppence.core.run import Run
from tuppence.model.config import PRESETS
from tuppence.model.gpt import GPT
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import World, join_world, leave_world
from tuppence.training.execution import Execution
from tuppence.training.objective import Batch, Objective, Sample
from tuppence.training.state import State
from tuppence.training.step import Step


class RandomTokens(Objective[GPT]):
    """One short sequence of random tokens for each rank."""

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        tokens = torch.randint(0, 1000, (1, 17), generator=torch.Generator().manual_seed(rank))
        return [(tokens[:, :-1], tokens[:, 1:])]

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return model.loss(*batch), {}

    def evaluation(self) -> Iterator[Batch]:
        return iter(())

    def samples(self, model: GPT) -> list[Sample]:
        return []


def memory(key: str) -> int:
    """A value of /proc/self/status in MB: VmRSS, now; VmHWM, at most; RssAnon, without mapped files."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024 // 10**6


def measured(name: str, world: World, work: Callable[[], object]) -> None:
    """Prints seconds, and resident memory before and at most, of each rank in turn."""
    world.barrier()
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before, started = memory("VmRSS"), time.monotonic()
    work()
    world.barrier()
    seconds = time.monotonic() - started
    for rank in range(world.size):
        if rank == world.rank:
            print(f"{name:<14} rank {rank}: {seconds:5.1f} s, {before:5d} MB before, {memory('VmHWM'):5d} MB at most")
        world.barrier()


def main() -> None:
    """Measures fsdp, then ddp."""
    preset = sys.argv[1] if len(sys.argv) > 1 else "gpt2-124m"
    world, _ = join_world("cpu")
    for parallel in ("fsdp", "ddp"):
        torch.manual_seed(0)
        objective, config = RandomTokens(), TrainConfig()
        step = Step(
            objective, GPT(PRESETS[preset]), config, Execution("cpu", "float32", False, world, parallel=parallel)
        )
        step.update(step.accumulate(0))
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder) / "run")
            if world.is_main:
                run.create()
            manager = CheckpointManager(run, step)
            state = State()
            state.step = 1
            measured(f"{parallel} save", world, lambda manager=manager, state=state: manager.save(state))  # type: ignore[misc]
            measured(f"{parallel} restore", world, manager.restore)
        step.loss.release()
        del step, manager
    leave_world()


if __name__ == "__main__":
    main()
