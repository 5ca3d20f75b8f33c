"""Instruction finetuning (chapter 7): a model that continues texts learns to answer.

The loss covers only the responses and the end of text after each, so that the model learns to stop. Prompts have no
loss. By default a LoRA adapter is trained and the base is frozen; `--full` trains all weights. `tuppence finetune
instruct` calls `run_instruct`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from tuppence.core.config import Section
from tuppence.core.console import counted, note, warn
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, pad
from tuppence.data.records.conversations import Conversation, read_conversations
from tuppence.data.records.encoding import EncodedConversation, encode_conversations
from tuppence.data.records.held_out import conversation_row, write_held_out
from tuppence.data.records.leaks import content_of
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.lora import add_lora
from tuppence.model.loss import summed_cross_entropy
from tuppence.model.saving import save_model
from tuppence.storage import output_path
from tuppence.tasks.answers import Prompt, answer_samples, shown_prompts
from tuppence.tasks.finetuning import RowJob, RowObjective, RowRecipe, conversation_tokenizer, finetuning_flops
from tuppence.tasks.rows import RowFiles, say_left_out
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample


class InstructConfig(Section):
    """The `finetune` section of an instruction recipe."""

    full: bool = Field(False, description="train every weight instead of an adapter")
    epochs: float = Field(3.0, gt=0, le=1000, description="passes over the rows, if no other limit ends the run")
    val_fraction: float = Field(0.1, gt=0, lt=1, description="held-out share, if no file is given")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the model in training")


class InstructRecipe(RowRecipe):
    """An instruction finetuning recipe."""

    finetune: InstructConfig = InstructConfig()
    train: TrainConfig = TrainConfig(
        batch_size=16, learning_rate=2e-3, warmup_steps=10, weight_decay=0.0, eval_every=50, log_every=5, beta2=0.99
    )


class Responses(RowObjective[EncodedConversation, GPT]):
    """Next-token prediction on the tokens of the responses."""

    scores_start = True

    def __init__(
        self,
        rows: Sequence[EncodedConversation],
        val: Sequence[EncodedConversation],
        prompts: Sequence[Prompt],
        tokenizer: Tokenizer,
        context_length: int,
        config: TrainConfig,
    ) -> None:
        super().__init__(rows, val, config)
        self._prompts, self._tokenizer, self._context = prompts, tokenizer, context_length

    def collate(self, rows: Sequence[EncodedConversation]) -> Batch:
        tokens_BT = pad([row.ids for row in rows], 0, limit=self._context)
        targets_BT = pad([row.targets for row in rows], IGNORED_TARGET, limit=self._context)
        return torch.from_numpy(tokens_BT), torch.from_numpy(targets_BT)

    def tokens(self, batch: Batch) -> int:
        """The tokens up to the last target of each row; nothing after it is trained."""
        targets_BT = batch[-1]
        last_BT = (targets_BT != IGNORED_TARGET) * torch.arange(1, targets_BT.shape[1] + 1)
        return int(last_BT.amax(dim=1).sum())

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, targets_BT = batch
        return response_loss(model, tokens_BT, targets_BT), {}

    def samples(self, model: GPT) -> list[Sample]:
        limit = self._config.sample_tokens
        return answer_samples(model, self._prompts, self._tokenizer, max_tokens=limit)


def response_loss(model: GPT, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """The summed cross-entropy of the targets, in nats. Logits are computed for targets only.

    In a batch of instructions two thirds of the positions are prompt and padding, and the head is a large part of a
    small model. Pretraining has no such positions, and keeps fixed shapes for compiled kernels.
    """
    hidden_ND, targets_N = model.hidden(tokens_BT).flatten(0, 1), targets_BT.flatten()
    if not torch.compiler.is_compiling():
        valid_N = targets_N != IGNORED_TARGET
        hidden_ND, targets_N = hidden_ND[valid_N], targets_N[valid_N]
    return summed_cross_entropy(hidden_ND, model.token_embedding.weight, targets_N)


class InstructJob(RowJob[GPT]):
    """Finetunes on instructions."""

    verb = "finetune instruct"

    def __init__(self, base: ModelInfo, files: RowFiles, out: Path, recipe: InstructRecipe) -> None:
        finetune, context_length = recipe.finetune, base.config.context_length
        lora = None if finetune.full else recipe.lora.resolve()
        rows, self._held_out = files.split(
            lambda path: _read(path, files),
            fraction=finetune.val_fraction,
            seed=recipe.train.seed,
            key=content_of,
            noun="row",
        )
        self._dropout, self.tokenizer = finetune.dropout, conversation_tokenizer(base)
        self._train_rows = _encode(self.tokenizer, rows, context_length, "training")
        self._val_rows = _encode(self.tokenizer, self._held_out, context_length, "held-out")
        lengths = [len(row.ids) for row in self._train_rows]
        targets = sum(int((row.targets != IGNORED_TARGET).sum()) for row in self._train_rows)
        flops = finetuning_flops(base.config, lengths, logits_share=targets / sum(lengths), frozen=lora is not None)
        super().__init__(
            base,
            files.paths,
            out,
            recipe,
            rows=rows,
            lengths=lengths,
            epochs=finetune.epochs,
            lora=lora,
            flops_per_token=flops,
        )

    def build(self, device: str) -> tuple[Objective[GPT], GPT]:
        model = self.load_base(device, dropout=self._dropout)
        if self.lora is not None:
            add_lora(model, self.lora)
        context = self.base.config.context_length
        prompts = shown_prompts(self._held_out, self.tokenizer, context_length=context)
        return Responses(self._train_rows, self._val_rows, prompts, self.tokenizer, context, self.train), model

    def write_result(self, model: GPT) -> None:
        run = Run(self.out)
        save_model(model, run.model, tokenizer=self.tokenizer)
        self.write_adapter(model)
        write_held_out(run, map(conversation_row, self._held_out))


def run_instruct(
    base: str | Path,
    data: str | Path,
    out: str | Path,
    config: InstructRecipe,
    options: RunOptions,
    *,
    val: str | Path | None = None,
    skip_bad_rows: bool = False,
) -> dict[str, Any]:
    """Finetunes on instructions, or continues such a run.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's folder.
        data: a file of conversations in any format that `read_conversations` knows.
        val: a file of held-out conversations; None: a part of `data` is held out.
        skip_bad_rows: leave out and count rows that cannot be used, instead of refusing the file.

    Returns:
        `status`, `ended_because` and `result` of run.yaml; {} on ranks other than 0.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    files = RowFiles.staged(data, val, skip_bad_rows=skip_bad_rows)
    return train(InstructJob(inspect(base, head="lm"), files, output_path(out), config), options)


def _read(path: Path, files: RowFiles) -> list[Conversation]:
    found = read_conversations(str(path), skip_bad_rows=files.skip_bad_rows, trained_only=path == files.data)
    say_left_out(path, found.skipped_rows, found.untrained_rows, found.unused)
    if found.disliked_rows:
        warn(f"left out {counted(found.disliked_rows, 'row')} of {path} with a false label: disliked answers")
    context_alone = sum(m.role == "assistant" and not m.trained for row in found.rows for m in row.messages)
    if context_alone:
        note(f"{counted(context_alone, 'response')} of {path} with weight 0: read, not learned")
    return found.rows


def _encode(
    tokenizer: Tokenizer, rows: Sequence[Conversation], context_length: int, name: str
) -> list[EncodedConversation]:
    encoded = encode_conversations(tokenizer, [row.messages for row in rows], context_length=context_length)
    if encoded.truncated_rows:
        conversations = counted(encoded.truncated_rows, f"{name} conversation")
        note(f"{conversations} cut at the context's end, by {counted(encoded.truncated_tokens, 'token')} in all")
    if encoded.skipped_rows:
        warn(f"left out {counted(encoded.skipped_rows, f'{name} conversation')}: the prompt alone fills the context")
    return encoded.rows
