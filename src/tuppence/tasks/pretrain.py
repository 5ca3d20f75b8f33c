"""Pretraining: a GPT learns to predict the next token of prepared text.

`tuppence pretrain` calls `run_pretraining`. `session` has what all training verbs do around the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from tuppence.core.config import Section
from tuppence.core.console import counted, warn
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.data.batches import Batches, evaluation_batches
from tuppence.data.shards import TokenShards, read_index, tokenizer_folder
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.saving import save_model
from tuppence.storage import location_of, output_path, stage
from tuppence.tasks.job import Job
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample

SAMPLING = Sampling(temperature=0.7, top_p=0.9)
"""How samples are drawn during training: the defaults of `tuppence generate`, chosen by benchmarks/stories.py."""


class PresetConfig(Section):
    """The `model` section: a preset, and the sizes that differ from it. The default vocabulary is that of the data."""

    preset: str = "tiny"
    n_layers: int | None = None
    n_heads: int | None = None
    d_model: int | None = None
    context_length: int | None = None
    vocab_size: int | None = None
    dropout: float | None = None

    def resolve(self, vocab_size: int) -> ModelConfig:
        """The sizes of the model.

        Args:
            vocab_size: the number of ids that the data uses.

        Raises:
            InputError: the preset is unknown, the sizes do not fit together, or the vocabulary is smaller than that of
                the data.
        """
        if self.preset not in PRESETS:
            raise InputError(f"unknown model.preset {self.preset}", f"use one of: {', '.join(PRESETS)}")
        given = {key: value for key, value in self.model_dump(exclude={"preset"}).items() if value is not None}
        sizes = {**PRESETS[self.preset].model_dump(), "vocab_size": vocab_size, **given}
        try:
            config = ModelConfig(**sizes)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(["model", *map(str, first["loc"])])
            raise InputError(
                f"{name}: {first['msg'].removeprefix('Value error, ')}", "change the model section"
            ) from error
        if config.vocab_size < vocab_size:
            raise InputError(
                f"model.vocab_size is {config.vocab_size:,} and the data uses {vocab_size:,} ids",
                "leave model.vocab_size out",
            )
        return config


class PretrainRecipe(Section):
    """A pretraining recipe."""

    model: PresetConfig = PresetConfig()
    train: TrainConfig = TrainConfig()


class NextToken(Objective[GPT]):
    """The objective of pretraining: next-token prediction on token shards."""

    def __init__(
        self, train: TokenShards, val: TokenShards | None, tokenizer: Tokenizer, model: ModelConfig, config: TrainConfig
    ) -> None:
        self._batches = Batches(
            train,
            context_length=model.context_length,
            batch_size=config.batch_size,
            seed=config.seed,
            accumulation_steps=config.accumulation_steps,
        )
        self._val, self._tokenizer, self._model, self._config = val, tokenizer, model, config

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        return [_tensors(pair) for pair in self._batches.step(step, rank, world_size)]

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, targets_BT = batch
        return model.loss(tokens_BT, targets_BT), {}

    def evaluation(self) -> Iterator[Batch]:
        if self._val is None:
            return
        length = self._model.context_length
        windows = max(1, self._config.eval_tokens // length)
        size = max(1, min(self._config.batch_size, windows))
        for pair in evaluation_batches(self._val, context_length=length, batch_size=size, max_windows=windows):
            yield _tensors(pair)

    def samples(self, model: GPT) -> list[Sample]:
        config = self._config
        if not config.sample_tokens or not config.sample_prompts:
            return []
        prompts = [self._tokenizer.encode(prompt) for prompt in config.sample_prompts]
        results = generate(
            model,
            prompts,
            replace(SAMPLING, max_tokens=min(config.sample_tokens, self._model.context_length // 2), seed=config.seed),
            stop_ids=[self._tokenizer.end_of_text],
        )
        return [
            # a vocabulary that was rounded up has ids without a token; an untrained model can draw them
            Sample(
                prompt, self._tokenizer.decode([token for token in result.ids if token < self._tokenizer.vocab_size])
            )
            for prompt, result in zip(config.sample_prompts, results, strict=True)
        ]


class PretrainJob(Job[GPT]):
    """Trains a model on prepared text."""

    verb = "pretrain"

    def __init__(self, data: Path, out: Path, recipe: PretrainRecipe) -> None:
        self.out, self.train = out, recipe.train
        self._shards, self._val, self._tokenizer = shards, val, tokenizer = _open_data(data)
        sizes = self._sizes = recipe.model.resolve(shards.vocab_size)
        self.settings = {"model": sizes}
        self.inputs = {
            "data": {"path": location_of(data), "fingerprint": shards.fingerprint, "tokens": shards.num_tokens},
            "tokenizer": {"fingerprint": tokenizer.fingerprint, "vocab_size": tokenizer.vocab_size},
        }
        context = sizes.context_length
        self.tokens_per_step = recipe.train.batch_size * recipe.train.accumulation_steps * context
        self.flops_per_token = sizes.flops_per_token()
        if val is not None and len(val) <= context:
            warn(f"the validation split has {counted(len(val), 'token')}, less than one context of {context:,}")

    def default_steps(self, ranks: int) -> int:
        """One epoch."""
        context = self._sizes.context_length
        epoch_tokens = (len(self._shards) - 1) // context * context
        return max(1, epoch_tokens // (self.tokens_per_step * ranks))

    def build(self, device: str) -> tuple[Objective[GPT], GPT]:
        model = GPT(self._sizes, activation_checkpointing=self.train.activation_checkpointing).to(device)
        return NextToken(self._shards, self._val, self._tokenizer, self._sizes, self.train), model

    def write_result(self, model: GPT) -> None:
        save_model(model, Run(self.out).model, tokenizer=self._tokenizer)


def run_pretraining(data: str | Path, out: str | Path, config: PretrainRecipe, options: RunOptions) -> dict[str, Any]:
    """Trains a model on prepared text, or continues such a run.

    Args:
        data: a folder of token shards, from `tuppence data prepare`.

    Returns:
        `status`, `ended_because` and `result` of run.yaml; {} on ranks other than 0.

    Raises:
        InputError: data, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    return train(PretrainJob(stage(data), output_path(out), config), options)


def held_out_text(data: str | Path) -> str:
    """The beginning of the first held-out text of prepared data, or of the first text if none is held out."""
    data = stage(data)
    split = "val" if "val" in read_index(data).splits else "train"
    shards = TokenShards.open(data, split, verify="size")
    ids = shards.window(0, min(len(shards), 64)).tolist()
    first = ids[: ids.index(shards.end_of_text)] if shards.end_of_text in ids else ids
    return Tokenizer.load(tokenizer_folder(data)).decode(first)


def _open_data(data: Path) -> tuple[TokenShards, TokenShards | None, Tokenizer]:
    train = TokenShards.open(data, "train")
    val = TokenShards.open(data, "val") if "val" in train.index.splits else None
    tokenizer = Tokenizer.load(tokenizer_folder(data))
    train.require_tokenizer(tokenizer)
    return train, val, tokenizer


def _tensors(pair: tuple[Any, Any]) -> Batch:
    return tuple(torch.from_numpy(array) for array in pair)
