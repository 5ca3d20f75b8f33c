"""A divided model computes what a whole one computes. One start of two ranks runs all checks.

Whole runs through the command line are in integration/test_sharded.py.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tests.ranks import script_on_ranks
from tuppence.training.shards import _blocks, rows_of


def test_rows_are_those_of_torch_s_chunks() -> None:
    for rows in range(1, 12):
        for ranks in range(1, 6):
            chunks = torch.arange(rows).chunk(ranks)
            for rank in range(ranks):
                expected = chunks[rank].tolist() if rank < len(chunks) else []
                assert torch.arange(rows)[rows_of(rows, rank, ranks)].tolist() == expected


def test_blocks_are_found_below_any_head() -> None:
    body = nn.Module()
    body.blocks = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
    model = nn.Module()
    model.gpt = body
    assert _blocks(model) == list(body.blocks)


RANK = """
import copy, gc, os, sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from tests.training.toy import Bigram, Toy
from tuppence.model.loss import summed_cross_entropy
from tuppence.model.tensor_stream import stream_tensors
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import join_world, leave_world
from tuppence.training.execution import Execution
from tuppence.training.step import Step
from tuppence.training.validation import validate

place = Path(sys.argv[1])
world, _ = join_world("cpu")

class OneRow(Bigram):  # a parameter of which the second rank has no row
    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(1, 11))
        self.dropout = nn.Dropout(0.0)
    def forward(self, tokens):
        return super().forward(tokens) * self.one

class Shared(Toy):  # the sequences of a step are divided among the ranks; the second rank has fewer held-out batches
    def batches(self, step, rank, ranks):
        return [tuple(part.chunk(ranks)[rank] for part in batch) for batch in super().batches(step, rank, ranks)]

torch.manual_seed(0)
model = OneRow()
config = TrainConfig(learning_rate=0.05, gradient_clip=0.1)
alone = Step(Shared(2), copy.deepcopy(model), config, Execution("cpu", "float32", False))
both = Step(Shared(2), model, config, Execution("cpu", "float32", False, world, parallel="fsdp"))
shards = both.loss.shards

for number in range(3):
    for step in (alone, both):
        step.optimizers.set_rate(1.0)
        step.update(step.accumulate(number))
    (mine,), (theirs,) = (list(step.outcomes(all_of_them=True)) for step in (both, alone))
    assert abs(mine.norm - theirs.norm) < 1e-5 and mine.targets == theirs.targets, (mine, theirs)
    assert abs(mine.sums["loss"] - theirs.sums["loss"]) < 1e-4, (mine, theirs)
    scores = [validate(step, lambda: True)["loss"] for step in (both, alone)]
    assert abs(scores[0] - scores[1]) < 1e-6, scores
assert validate(both, lambda: world.rank == 0) is None  # one rank ends it for both

assert ("one" in shards.local) == world.is_main
state = both.optimizers.state()
if world.is_main:
    stream_tensors(shards.gather(shards.local), place / "model")
    stream_tensors(shards.gather(state), place / "optimizer")
    weights, moments = load_file(place / "model"), load_file(place / "optimizer")
    for found, wanted in ((weights, alone.parameters), (moments, alone.optimizers.state())):
        assert found.keys() == wanted.keys()
        for name in found:
            torch.testing.assert_close(found[name], wanted[name].detach(), atol=1e-5, rtol=1e-4)
    whole = shards.whole(weights).eval()
    tokens = torch.arange(6)[None]
    assert torch.allclose(whole(tokens), alone.model.eval()(tokens), atol=1e-4)
else:
    shards.send(shards.local)
    shards.send(state)
    weights = moments = None

for tensors, wanted in ((weights, shards.local), (moments, state)):
    received = shards.scatter(tensors)
    assert received.keys() == wanted.keys()
    assert all(torch.equal(received[name], wanted[name]) for name in received)
both.optimizers.load_state(received)
wrong = None if weights is None else {**weights, "one": torch.ones(2, 11)}
try:
    shards.scatter(wrong)
    raise AssertionError("accepted")
except ValueError as error:
    assert "one has shape (2, 11), not (1, 11)" in str(error)

if world.is_main:
    shards.local["head.bias"].data[0] = float("nan")
both.update(both.accumulate(3))
(broken,) = both.outcomes(all_of_them=True)
assert not broken.updated  # on both ranks
both.loss.release()
del both, shards, model, step, state, tensors, wanted, received, broken
leave_world()
if Path("/proc/self/task").is_dir():  # a thread of the group that outlives it can keep the interpreter from ending
    names = [Path(f"/proc/self/task/{task}/comm").read_text() for task in os.listdir("/proc/self/task")]
    assert not [name for name in names if "gloo" in name], names
"""


def test_two_ranks_step_score_save_and_load_as_one(tmp_path: Path) -> None:
    for rank in script_on_ranks(RANK, tmp_path):
        assert rank.returncode == 0, rank.stderr
