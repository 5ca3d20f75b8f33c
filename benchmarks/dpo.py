"""A DPO step on preferences: ours against trl's trainer; same model, same pairs, same minutes.

Rank 16 on every matrix of every block, bf16, AdamW, eager. What is timed is a whole step: policy, reference, backward,
clipping, optimizer. "online": the reference is computed with each batch, which is trl's default; "precomputed": it
was computed before, which both can do, and which ours does by itself where that is less work. trl's activation
checkpointing, on by default, is off: it would only slow it down here. Peak memory is that of the whole process.

    python benchmarks/dpo.py                           gpt2-124m's sizes, on made-up preferences
    python benchmarks/dpo.py --data FILE.json          on yours
    python benchmarks/dpo.py --model tiny              13.9M parameters
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turns import Step, faster, serve, take_turns

if TYPE_CHECKING:
    from tuppence.tasks.pairs import EncodedPair

RANK, ALPHA, BETA = 16, 32, 0.1
BATCHES = 12
NAMES = ("tuppence, online", "trl, online", "tuppence, precomputed", "trl, precomputed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="preferences; made up if absent")
    parser.add_argument("--model", choices=["gpt2-124m", "tiny"], default="gpt2-124m")
    parser.add_argument("--batch-size", type=int, default=4, help="pairs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of each contender in a round")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        who, _, reference = options.contender.partition(", ")
        build = build_ours if who == "tuppence" else build_theirs
        serve(build(options, precomputed=reference == "precomputed"))
        return
    seconds, contenders = take_turns(list(NAMES), options.rounds, options.steps)
    print(f"\n{options.model}, rank {RANK}, batches of {options.batch_size} pairs, bf16\n")
    print(f"{'':20}{'ms/step':>9}{'peak MiB':>10}{'ours is faster':>16}")
    for name, contender in contenders.items():
        step = statistics.median(seconds[name]) * 1e3
        ratio = faster(seconds, f"tuppence, {name.partition(', ')[2]}", name)
        print(f"{name:20}{step:>9.0f}{contender.ask('memory'):>10,.0f}{ratio:>15.2f}×")
        contender.close()


def batches(options: argparse.Namespace) -> list[list[EncodedPair]]:
    """The first batches, bucketed by length as in training."""
    import numpy as np

    from tuppence.data.buckets import Buckets
    from tuppence.data.records.preferences import read_preferences
    from tuppence.synthetic.preferences import iter_preferences
    from tuppence.tasks.pairs import read_pairs
    from tuppence.tasks.rows import RowFiles
    from tuppence.tokenizer import train_tokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = options.data
        if path is None:
            import json

            path = Path(folder) / "preferences.jsonl"
            path.write_text("".join(json.dumps(vars(row)) + "\n" for row in iter_preferences(1000, 0)))
        texts = [text for row in read_preferences(str(path)).rows for text in (row.prompt[0].content, row.chosen)]
        tokenizer = train_tokenizer(texts, 4096)
        read = {"context_length": 256, "val_fraction": 0.1, "seed": 0, "with_end": True}
        rows = read_pairs(RowFiles(path), tokenizer, **read).train
    buckets = Buckets(np.array([len(row.ids) for row in rows]), batch_size=options.batch_size, seed=0)
    return [[rows[number] for number in buckets.step(step)[0]] for step in range(BATCHES)]


def build_ours(options: argparse.Namespace, *, precomputed: bool) -> Step:
    """The step of `training.loop` on the objective of `tasks.dpo`."""
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory(large_pages=False)
    import torch

    from tuppence.model.config import PRESETS
    from tuppence.model.gpt import GPT
    from tuppence.model.lora import LoRA, add_lora, frozen_copy
    from tuppence.model.precision import autocast
    from tuppence.tasks.dpo import DPORecipe, Preferences
    from tuppence.tasks.pairs import Pairs
    from tuppence.tasks.reference import Reference
    from tuppence.training.config import TrainConfig
    from tuppence.training.determinism import compute_deterministically, ordered_kernels
    from tuppence.training.optim import Optimizers

    compute_deterministically()
    model = GPT(PRESETS[options.model])
    base = frozen_copy(model, shared=True)
    add_lora(model, LoRA(RANK, ALPHA))
    model.train()
    optimizers = Optimizers(model.named_parameters(), TrainConfig(), "cpu")
    chosen = batches(options)
    pairs = Pairs([row for batch in chosen for row in batch], [], [], [])
    numbers = {id(row): number for number, row in enumerate(pairs.train)}
    reference = Reference(pairs, base, precompute=precomputed)
    objective = Preferences(pairs, reference, DPORecipe())
    tensors = []
    for batch in chosen:
        tokens_BT, branches_BT, _ = objective.collate(batch)
        tensors.append((tokens_BT, branches_BT, torch.tensor([numbers[id(row)] for row in batch])))
    with autocast("cpu", "bf16"):
        objective.prepare(0, model)
    supply = itertools.cycle(tensors)

    def step() -> float:
        batch = next(supply)
        with ordered_kernels():
            with autocast("cpu", "bf16"):
                loss = objective.loss(model, *batch)[0] / len(batch[0])
            loss.backward()
        torch.nn.utils.clip_grad_norm_(optimizers.parameters(), 1.0)
        optimizers.step()
        optimizers.zero_grad()
        return float(loss.detach())

    return step


def build_theirs(options: argparse.Namespace, *, precomputed: bool) -> Step:
    """`DPOTrainer.training_step`, clipping and optimizer, as `Trainer.train` calls them."""
    import datasets
    import peft
    import torch
    import transformers
    import trl
    from tokenizers import Tokenizer, models

    from tuppence.model.config import PRESETS

    class OnIds(trl.DPOTrainer):  # type: ignore[misc,name-defined]
        """On pairs that are encoded already."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset

    sizes = PRESETS[options.model]
    config = transformers.GPT2Config(
        n_layer=sizes.n_layers, n_head=sizes.n_heads, n_embd=sizes.d_model, n_positions=sizes.context_length,
        vocab_size=sizes.vocab_size, use_cache=False,
    )  # fmt: skip
    lora = peft.LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        target_modules=["c_attn", "c_proj", "c_fc"],
        fan_in_fan_out=True,
        task_type="CAUSAL_LM",
    )
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"<|endoftext|>": 0}, unk_token="<|endoftext|>")),
        eos_token="<|endoftext|>",
    )
    chosen = batches(options)
    rows = [[_as_columns(row) for row in batch] for batch in chosen]
    folder = tempfile.mkdtemp()
    arguments = trl.DPOConfig(
        output_dir=folder,
        per_device_train_batch_size=options.batch_size,
        beta=BETA,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        precompute_ref_log_probs=precomputed,
        max_length=None,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = OnIds(
        transformers.GPT2LMHeadModel(config),
        None,
        arguments,
        train_dataset=datasets.Dataset.from_list([row for batch in rows for row in batch]),
        processing_class=tokenizer,
        peft_config=lora,
    )
    model = trainer.accelerator.prepare_model(trainer.model)
    trainer.current_gradient_accumulation_steps = 1  # what `Trainer.train` sets before its first step
    optimizer = trainer.create_optimizer()
    wanted = trainer.train_dataset.to_list()  # with the reference, where it was precomputed
    size = options.batch_size
    supply = itertools.cycle(
        [trainer.data_collator(wanted[start : start + size]) for start in range(0, len(wanted), size)]
    )

    def step() -> float:
        loss = trainer.training_step(model, dict(next(supply)))
        trainer.accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss)

    return step


def _as_columns(row: EncodedPair) -> dict[str, list[int]]:
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    return {name: row.ids[row.branches == branch].tolist() for branch, name in enumerate(names)}


if __name__ == "__main__":
    main()
