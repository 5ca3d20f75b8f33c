"""The present speed of this machine: the time of a pretraining step of the quickstart, on random tokens."""

from __future__ import annotations

import time

import torch

from tuppence.core.environment import choose_device, choose_precision
from tuppence.core.threads import share_cores
from tuppence.model.gpt import GPT
from tuppence.model.precision import autocast
from tuppence.quickstart.recipes import PRETRAIN
from tuppence.training.determinism import compute_deterministically
from tuppence.training.optim import Optimizers

VOCABULARY = 4096
_FEWEST_STEPS = 3


def seconds_of_a_step(seconds: float = 1.5) -> float:
    """Makes training steps for about `seconds` and returns their mean wall time, without the first one.

    The mean and not the minimum, because other programs may use the same cores. The state of torch's random generator
    does not change.
    """
    compute_deterministically()
    share_cores()
    device = choose_device(PRETRAIN.train.device)
    precision = choose_precision(device, PRETRAIN.train.precision).name
    sizes = PRETRAIN.model.resolve(VOCABULARY)
    with torch.random.fork_rng(devices=[]):
        model = GPT(sizes).to(device)
        tokens_BT = torch.randint(0, VOCABULARY, (PRETRAIN.train.batch_size, sizes.context_length + 1), device=device)
    optimizers = Optimizers(model.named_parameters(), PRETRAIN.train, device)
    optimizers.set_rate(1.0)
    inputs_BT, targets_BT = tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous()
    steps, begun = -1, time.perf_counter()
    while steps < _FEWEST_STEPS or time.perf_counter() - begun < seconds:
        with autocast(device, precision):
            loss = model.loss(inputs_BT, targets_BT) / targets_BT.numel()
        torch.autograd.backward(loss)
        optimizers.step()
        optimizers.zero_grad()
        loss.item()  # waits for the device
        if steps < 0:
            begun = time.perf_counter()
        steps += 1
    return (time.perf_counter() - begun) / steps
