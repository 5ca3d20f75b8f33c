"""A LoRA step on instructions: ours against transformers with peft; same model, same batches, same minutes.

Rank 16 on every matrix of every block, bf16, AdamW, eager: batches of instructions all have another length. What is
timed is a whole step: forward, backward, clipping, optimizer. Peak memory is that of the whole process.

    python benchmarks/lora.py                          gpt2-124m's sizes, on made-up instructions
    python benchmarks/lora.py --data FILE.json         on yours
    python benchmarks/lora.py --model tiny             13.9M parameters
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from pathlib import Path
from typing import Any

from turns import Step, faster, serve, take_turns

RANK, ALPHA = 16, 32
BATCHES = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="instructions; made up if absent")
    parser.add_argument("--model", choices=["gpt2-124m", "tiny"], default="gpt2-124m")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="steps of each contender in a round")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        serve(build_ours(options) if options.contender == "tuppence" else build_peft(options))
        return
    names = ["tuppence", "transformers+peft"]
    seconds, contenders = take_turns(names, options.rounds, options.steps)
    print(f"\n{options.model}, rank {RANK}, batches of {options.batch_size} instructions, bf16\n")
    print(f"{'':20}{'ms/step':>9}{'peak MiB':>10}{'ours is faster':>16}")
    for name, contender in contenders.items():
        step = statistics.median(seconds[name]) * 1e3
        ratio = faster(seconds, "tuppence", name)
        print(f"{name:20}{step:>9.0f}{contender.ask('memory'):>10,.0f}{ratio:>15.2f}×")
        contender.close()


def batches(options: argparse.Namespace) -> list[tuple[Any, Any]]:
    """(tokens_BT, targets_BT) of the first batches, bucketed by length as in training."""
    import numpy as np

    from tuppence.data.buckets import IGNORED_TARGET, Buckets, pad
    from tuppence.data.records.conversations import read_conversations
    from tuppence.data.records.encoding import encode_conversations
    from tuppence.synthetic.instructions import iter_instructions
    from tuppence.tokenizer import train_tokenizer
    from tuppence.tokenizer.chat_template import Message

    if options.data:
        conversations = [row.messages for row in read_conversations(str(options.data)).rows]
    else:
        conversations = [
            (Message("user", f"{task.instruction}\n\n{task.input}"), Message("assistant", task.output))
            for task in iter_instructions(1000, 0)
        ]
    tokenizer = train_tokenizer([message.content for row in conversations for message in row], 4096)
    rows = encode_conversations(tokenizer, conversations, context_length=256).rows
    lengths = np.array([len(row.ids) for row in rows])
    buckets = Buckets(lengths, batch_size=options.batch_size, seed=0)
    chosen = [[rows[number] for number in buckets.step(step)[0]] for step in range(BATCHES)]
    return [
        (pad([row.ids for row in batch], 0), pad([row.targets for row in batch], IGNORED_TARGET)) for batch in chosen
    ]


def build_ours(options: argparse.Namespace) -> Step:
    """The step of `training.loop` on the objective of `tasks.instruct`."""
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory(large_pages=False)
    import torch

    from tuppence.data.buckets import IGNORED_TARGET
    from tuppence.model.config import PRESETS
    from tuppence.model.gpt import GPT
    from tuppence.model.lora import LoRA, add_lora
    from tuppence.model.precision import autocast
    from tuppence.tasks.instruct import response_loss
    from tuppence.training.config import TrainConfig
    from tuppence.training.determinism import compute_deterministically, ordered_kernels
    from tuppence.training.optim import Optimizers

    compute_deterministically()
    model = GPT(PRESETS[options.model])
    add_lora(model, LoRA(RANK, ALPHA))
    model.train()
    optimizers = Optimizers(model.named_parameters(), TrainConfig(), "cpu")
    supply = itertools.cycle(
        [(torch.from_numpy(tokens), torch.from_numpy(targets)) for tokens, targets in batches(options)]
    )

    def step() -> float:
        tokens_BT, targets_BT = next(supply)
        with ordered_kernels():
            with autocast("cpu", "bf16"):
                loss = response_loss(model, tokens_BT, targets_BT) / (targets_BT != IGNORED_TARGET).sum()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(optimizers.parameters(), 1.0)
        optimizers.step()
        optimizers.zero_grad()
        return float(loss.detach())

    return step


def build_peft(options: argparse.Namespace) -> Step:
    import peft
    import torch
    import transformers

    from tuppence.data.buckets import IGNORED_TARGET
    from tuppence.model.config import PRESETS

    sizes = PRESETS[options.model]
    config = transformers.GPT2Config(
        n_layer=sizes.n_layers, n_head=sizes.n_heads, n_embd=sizes.d_model, n_positions=sizes.context_length,
        vocab_size=sizes.vocab_size, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
    )  # fmt: skip
    lora = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        target_modules=["c_attn", "c_proj", "c_fc"],
        fan_in_fan_out=True,
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(transformers.GPT2LMHeadModel(config), lora).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, fused=True)
    supply = itertools.cycle([tuple(map(torch.from_numpy, batch)) for batch in batches(options)])

    def step() -> float:
        tokens_BT, targets_BT = next(supply)
        labels_BT = torch.full_like(tokens_BT, IGNORED_TARGET)
        labels_BT[:, 1:] = targets_BT[:, :-1]  # transformers shifts them itself
        mask_BT = (
            torch.arange(tokens_BT.shape[1]) < 1 + (targets_BT != IGNORED_TARGET).int().cumsum(1).argmax(1)[:, None]
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=tokens_BT, attention_mask=mask_BT, labels=labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


if __name__ == "__main__":
    main()
