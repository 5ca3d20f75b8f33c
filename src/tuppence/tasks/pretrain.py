"""Pretraining: a GPT learns to predict the next token of prepared text.

`run_pretraining` is what `tuppence pretrain` calls. It decides everything once (model, device, precision, compilation,
limits), writes that into run.yaml, and hands an objective to the one loop. The same call again continues the run.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from tuppence import __version__
from tuppence.core.config import Section
from tuppence.core.console import note
from tuppence.core.environment import Precision, choose_device, choose_precision, describe
from tuppence.core.errors import InputError, Interrupted, TuppenceError
from tuppence.core.rundir import RunDir, git_commit
from tuppence.cost.ledger import Ledger, Rate, read_attempts
from tuppence.cost.limits import Limits
from tuppence.data.batches import Batches, evaluation_batches
from tuppence.data.shards import TokenShards, read_index, tokenizer_folder
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.weights import save_model
from tuppence.tokenizer import Tokenizer
from tuppence.training.checkpoint import verify_checkpoint
from tuppence.training.compilation import worth_compiling
from tuppence.training.config import TrainConfig
from tuppence.training.determinism import compute_deterministically
from tuppence.training.distributed import join_world, leave_world
from tuppence.training.loop import Loop, Machine
from tuppence.training.objective import Batch, Sample
from tuppence.training.progress import describe_seconds
from tuppence.training.throughput import Meter, device_peak
from tuppence.training.tracking import check_tracker, open_trackers


class ModelChoice(Section):
    """The `model` section: a preset, and what differs from it. The vocabulary is the data's unless it is given."""

    preset: str = "tiny"
    n_layers: int | None = None
    n_heads: int | None = None
    d_model: int | None = None
    context_length: int | None = None
    vocab_size: int | None = None
    dropout: float | None = None

    def resolve(self, vocab_size: int) -> ModelConfig:
        """The sizes to build.

        Raises:
            InputError: the preset is unknown, the sizes do not fit, or the vocabulary is smaller than the data's.
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


class PretrainConfig(Section):
    """A pretraining recipe."""

    model: ModelChoice = ModelChoice()
    train: TrainConfig = TrainConfig()


FREE_TO_CHANGE = frozenset(
    {"max_steps", "log_every", "eval_every", "eval_tokens", "patience", "device"}
    | {"sample_every", "sample_prompts", "sample_tokens"}
    | {"checkpoint_every", "checkpoint_minutes", "keep_checkpoints"}
)
"""Keys of `train` that may differ when a run is continued: they change no update, or are meant to be extended."""


@dataclass(frozen=True)
class PretrainOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: wall time of the run, evaluation and saving included.
        budget: the most dollars it may spend, over all attempts.
        rate: what an hour of this machine costs.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none" or "tensorboard".
    """

    max_minutes: float | None = None
    budget: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"


class NextToken:
    """The objective of pretraining: predict each next token of the shards."""

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

    @property
    def windows_per_epoch(self) -> int:
        return self._batches.windows_per_epoch

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        return [_tensors(pair) for pair in self._batches.step(step, rank, world_size)]

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, targets_BT = batch
        return model.loss(tokens_BT, targets_BT), {}  # type: ignore[operator]

    def evaluation(self) -> Iterator[Batch]:
        if self._val is None:
            return
        length = self._model.context_length
        windows = max(1, self._config.eval_tokens // length)
        size = max(1, min(self._config.batch_size, windows))
        for pair in evaluation_batches(self._val, context_length=length, batch_size=size, max_windows=windows):
            yield _tensors(pair)

    def samples(self, model: nn.Module) -> list[Sample]:
        config = self._config
        if not config.sample_tokens or not config.sample_prompts:
            return []
        prompts = [self._tokenizer.encode(prompt) for prompt in config.sample_prompts]
        results = generate(
            model,  # type: ignore[arg-type]
            prompts,
            max_tokens=min(config.sample_tokens, self._model.context_length // 2),
            temperature=0.8,
            top_k=50,
            seed=config.seed,
            stop_ids=[self._tokenizer.end_of_text],
        )
        return [
            # a vocabulary rounded up has ids that are no token; an untrained model still draws them
            Sample(
                prompt, self._tokenizer.decode([token for token in result.ids if token < self._tokenizer.vocab_size])
            )
            for prompt, result in zip(config.sample_prompts, results, strict=True)
        ]


def run_pretraining(data: Path, out: Path, config: PretrainConfig, options: PretrainOptions) -> dict[str, Any]:
    """Trains a model on prepared text, or continues to; returns run.yaml's `result`, `status` and `ended_because`.

    Raises:
        InputError: data, recipe and run folder do not fit together.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    run = RunDir(out)
    check_tracker(options.track)
    resume = Path(options.resume) if options.resume not in ("auto", "never") else None
    if resume is not None:
        verify_checkpoint(resume)
    train, val, tokenizer = _open_data(data)
    model_config = config.model.resolve(train.vocab_size)
    record = _check_against_record(run, config, model_config, train, options)
    if record.get("status") == "done" and _same_limits(record, config, options):
        note(f"{out} is done already: it {record['ended_because']}")
        return _summary(record)

    device = choose_device(config.train.device)
    world = join_world(device)
    if device == "cuda":
        device = f"cuda:{world.local_rank}"
        torch.cuda.set_device(device)
    objective = NextToken(train, val, tokenizer, model_config, config.train)
    tokens_per_step = (
        config.train.batch_size * config.train.accumulation_steps * world.size * model_config.context_length
    )
    limits = _limits(config.train, options, objective.windows_per_epoch * model_config.context_length, tokens_per_step)

    chosen = record.get("machine") or {}
    chosen_precision = choose_precision(device, chosen.get("precision", config.train.precision))
    precision = chosen_precision.name
    if chosen:  # continued: the reason is the one it was chosen for
        reason = record["environment"].get("precision_reason", chosen_precision.reason)
        chosen_precision = Precision(precision, str(reason))
    peak = device_peak(device, precision)
    compiles = chosen.get("compile")
    if compiles is None:
        flops = model_config.flops_per_token() * tokens_per_step / world.size
        compiles = worth_compiling(config.train.compile, limits, flops, peak, device)
    machine = Machine(device, precision, bool(compiles), world)

    let_go = _nothing
    if world.leads:
        run.create()
        let_go = run.claim()
        run.update_record(
            **_new_record(run, config, model_config, options, train, tokenizer, machine, chosen_precision)
        )
        _announce(model_config, limits, options, tokens_per_step, machine)
    world.wait()
    compute_deterministically()
    torch.manual_seed(config.train.seed)
    model = GPT(model_config, activation_checkpointing=config.train.activation_checkpointing).to(device)
    ledger = Ledger(run.ledger_file if world.leads else None, options.rate, options.budget)
    loop = Loop(
        objective=objective,
        model=model,
        config=config.train,
        limits=limits,
        machine=machine,
        meter=Meter(tokens_per_step, model_config.flops_per_token(), peak, world.size),
        run=run,
        ledger=ledger,
        open_trackers=lambda step: open_trackers(run, options.track, step),
        write_result=lambda: save_model(model, run.model, tokenizer=tokenizer),
        resume=resume,
    )
    status, because = "failed", "a defect"
    try:
        because = loop.run()
        status = "done"
    except Interrupted as error:
        status, because = "stopped", f"stopped by signal {error.signal_number}"
        raise
    except TuppenceError as error:
        because = error.message
        raise
    finally:
        if world.leads:
            ledger.end(because)
            run.update_record(status=status, ended_because=because, ended=_now(), result=_result(loop, run))
        let_go()
        leave_world()
    return _summary(run.read_record()) if world.leads else {}


def _nothing() -> None:
    """What the ranks that do not lead let go of."""


# ---- before the run ----------------------------------------------------------------------------------------------


def _open_data(data: Path) -> tuple[TokenShards, TokenShards | None, Tokenizer]:
    train = TokenShards.open(data, "train")
    has_val = "val" in read_index(data).splits
    val = TokenShards.open(data, "val") if has_val else None
    tokenizer = Tokenizer.load(tokenizer_folder(data))
    train.require_tokenizer(tokenizer)
    return train, val, tokenizer


def _limits(train: TrainConfig, options: PretrainOptions, epoch_tokens: int, tokens_per_step: int) -> Limits:
    max_steps = train.max_steps
    if max_steps is None and options.max_minutes is None and options.budget is None:
        max_steps = max(1, epoch_tokens // tokens_per_step)  # one epoch
    return Limits(
        max_steps=max_steps,
        max_seconds=None if options.max_minutes is None else options.max_minutes * 60,
        max_dollars=options.budget,
        dollars_per_hour=options.rate.dollars_per_hour,
    )


def _check_against_record(
    run: RunDir, config: PretrainConfig, model: ModelConfig, train: TokenShards, options: PretrainOptions
) -> dict[str, Any]:
    """The record of the run that stands at this place, or {}; refuses to mix two different runs."""
    if not run.exists():
        return {}
    if options.resume == "never":
        raise InputError(f"{run.path} holds a run already, and --resume is never", "choose another --out, or remove it")
    record = run.read_record()
    elsewhere = "choose another --out, or give the settings that the run was started with"
    if record.get("verb") != "pretrain":
        raise InputError(f"{run.path} was not made by pretrain", "choose another --out")
    if (record.get("data") or {}).get("fingerprint") != train.fingerprint:
        raise InputError(f"{run.path} was started on other data than {train.folder}", elsewhere)
    before = record.get("config") or {}
    now = _settings(config, model)
    for section, values in now.items():
        for key, value in values.items():
            was = (before.get(section) or {}).get(key)
            if was != value and not (section == "train" and key in FREE_TO_CHANGE):
                raise InputError(f"{run.path} was started with {section}.{key}={was}, and now it is {value}", elsewhere)
    return record


def _same_limits(record: dict[str, Any], config: PretrainConfig, options: PretrainOptions) -> bool:
    before = record.get("limits") or {}
    return before == _limit_record(config.train, options)


def _limit_record(train: TrainConfig, options: PretrainOptions) -> dict[str, Any]:
    return {"max_steps": train.max_steps, "max_minutes": options.max_minutes, "budget_usd": options.budget}


def _new_record(
    run: RunDir,
    config: PretrainConfig,
    model: ModelConfig,
    options: PretrainOptions,
    train: TokenShards,
    tokenizer: Tokenizer,
    machine: Machine,
    precision: Precision,
) -> dict[str, Any]:
    before = run.read_record() if run.exists() else {}
    return {
        "version": 1,
        "verb": "pretrain",
        "status": "running",
        "ended_because": None,
        "started": before.get("started") or _now(),
        "ended": None,
        "seed": config.train.seed,
        "config": _settings(config, model),
        "limits": _limit_record(config.train, options),
        "machine": {"precision": machine.precision, "compile": machine.compile, "ranks": machine.world.size},
        "environment": describe(machine.device, precision),
        "versions": {"tuppence": __version__, "python": platform.python_version(), "torch": str(torch.__version__)},
        "git_commit": git_commit(),
        "data": {"path": str(train.folder), "fingerprint": train.fingerprint, "tokens": train.num_tokens},
        "tokenizer": {"fingerprint": tokenizer.fingerprint, "vocab_size": tokenizer.vocab_size},
        "parameters": model.parameter_count(),
    }


def _announce(
    model: ModelConfig, limits: Limits, options: PretrainOptions, tokens_per_step: int, machine: Machine
) -> None:
    """What is about to happen and what it can cost, before it starts."""
    parts = [f"{model.parameter_count():,} parameters", f"{tokens_per_step:,} tokens a step"]
    if limits.max_steps is not None:
        parts.append(f"{limits.max_steps:,} steps ({limits.max_steps * tokens_per_step:,} tokens)")
    seconds = limits.seconds_left(elapsed=0.0, spent=0.0)
    if seconds < float("inf"):
        parts.append(f"at most {describe_seconds(seconds)}")
        if limits.dollars_per_hour:
            parts.append(f"at most ${seconds / 3600 * limits.dollars_per_hour:.4f}")
    elif limits.dollars_per_hour:
        parts.append(f"no cap, at ${limits.dollars_per_hour:g} an hour")
    compiled = ", compiled" if machine.compile else ""
    note(" · ".join([*parts, f"{machine.device} in {machine.precision}{compiled}"]))


# ---- after the run -----------------------------------------------------------------------------------------------


def _result(loop: Loop, run: RunDir) -> dict[str, Any]:
    state = loop.state
    attempts = read_attempts(run.ledger_file)
    return {
        "steps": state.step,
        "tokens": state.tokens,
        "best_val_loss": state.best_val_loss,
        "best_step": state.best_step,
        "final_val_loss": state.val_loss if state.evaluated_step == state.step else None,
        "seconds": round(sum(attempt.seconds for attempt in attempts), 1),
        **state.clock.as_dict(),
        "tokens_per_second": state.tokens_per_second,
        "mfu": loop.meter.mfu_at(state.tokens_per_second),
        "dollars": round(sum(attempt.dollars for attempt in attempts), 6),
        "attempts": len(attempts),
    }


def describe_result(out: Path, summary: dict[str, Any]) -> str:
    """The end of a run in a few lines for people: why, how well, and the receipt."""
    result = summary["result"]
    lines = [f"{out}: {summary['ended_because']} after {result['steps']:,} steps ({result['tokens']:,} tokens)"]
    if result["best_val_loss"] is not None:
        lines.append(f"best validation loss {result['best_val_loss']:.4f} at step {result['best_step']:,}")
    receipt = f"${result['dollars']:.4f} for {describe_seconds(result['seconds'])} in {result['attempts']} attempt(s)"
    lines.append(f"receipt: {receipt}")
    if result["tokens_per_second"] is not None:
        lines.append(f"speed: {result['tokens_per_second']:,.0f} tokens a second, evaluation and saving not counted")
    lines.append(f"next: tuppence generate {out} --prompt 'Once upon a time'")
    return "\n".join(lines)


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record.get(key) for key in ("status", "ended_because", "result")}


def _settings(config: PretrainConfig, model: ModelConfig) -> dict[str, dict[str, Any]]:
    """The recipe as it was resolved, for run.yaml."""
    return {"model": model.model_dump(), "train": config.train.model_dump(mode="json")}


def _tensors(pair: tuple[Any, Any]) -> Batch:
    return tuple(torch.from_numpy(array) for array in pair)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
