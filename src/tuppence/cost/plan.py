"""What a training run costs before it starts: time, dollars and expected loss on each instance.

Pure arithmetic: prices (`cost.rates`), speeds (`cost.hardware`), memory (`cost.memory`) and a scaling law (`cost.law`)
go in, a `Plan` comes out. Every figure keeps its basis: measured, published with its source, or assumed.
`tasks.planning` asks the question in the words of the command line, and measures this machine.

A SageMaker job is billed from before its image is loaded until its result is uploaded, so the seconds of a row are:
lead, compilation, training, evaluation, and saves. The storage of checkpoints and data is a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tuppence.core.errors import InputError
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT, KEPT_CHECKPOINTS, LEAD_SECONDS, SPOT_DISCOUNT
from tuppence.cost.hardware import Accelerator, Basis, Speed
from tuppence.cost.law import FINEWEB, Law
from tuppence.cost.memory import GIB, ModelSize, most_sequences, training_memory
from tuppence.cost.rates import REGION, Price, storage_price

COMPILE_SECONDS = 60.0
FORWARD_SHARE = 1 / 3
"""Of the operations of a trained token: an evaluated one has no backward pass."""
SAVED_BYTES_A_SECOND = 150e6
"""Assumed, for a checkpoint that is written, verified and uploaded to S3."""
SECONDS_TO_KILL = 120.0
"""Between SIGTERM and SIGKILL of a SageMaker job, also when a spot instance is reclaimed."""
SEVERAL_GPUS_WITHOUT_NVLINK = 0.85
"""Assumed share of the speed that remains with several GPUs of a g4dn, g5, g6 or g6e. Published speeds of the A100 and
the H100 are from eight GPUs with NVLink."""
SMALL = FINEWEB.least_parameters
"""Nobody published the speed of a smaller model on these GPUs. Its matrices do not fill them, so what is assumed is the
best case."""
HOURS_BETWEEN_INTERRUPTIONS = 24.0
"""Assumed mean time between two reclaims of a spot instance (a Poisson process). EC2's highest public band begins at
20 % a month, one in 134 days; what SageMaker's pool does is not published."""
BYTES_OF_A_TOKEN = 2
ERRORS: dict[Basis, float] = {"measured": 0.15, "published": 0.25, "assumed": 0.5}
"""How far the hours may be off, by the basis of the speed; the published runs in the tests are within it."""
MOST = 1e15
"""Of tokens and dollars."""


@dataclass(frozen=True)
class Rhythm:
    """How often a run evaluates and saves.

    Attributes:
        step_tokens: of an optimizer step.
        eval_every, eval_tokens: steps between two evaluations, and the tokens of one.
        checkpoint_seconds: between two checkpoints.
    """

    step_tokens: int
    eval_every: int
    eval_tokens: int
    checkpoint_seconds: float


@dataclass(frozen=True)
class Machine:
    """Where a model could be trained.

    Attributes:
        name: an instance type, or "this machine".
        device: the GPU, or the CPU.
        devices: their number.
        memory_gib: of one device.
        speed: of one device, for the model of the plan; or a GPU, whose speed depends on the size of the model.
        price: of an hour; None if it costs nothing by the hour.
        refused: why it cannot be used.
        lead_seconds, compile_seconds: before the first step.
        saved_bytes_a_second: of a checkpoint, written and verified, on AWS also uploaded.
        saves_are: whether that was measured.
        forward_share: the time of an evaluated token over that of a trained one.
        on_aws: whether there is spot, and storage in S3.
        is_cpu: whether the memory is that of a CPU.
        sixteen_bits: whether it trains in bf16 or fp16.
    """

    name: str
    device: str
    devices: int
    memory_gib: float
    speed: Speed | Accelerator
    price: Price | None
    refused: str | None = None
    lead_seconds: float = LEAD_SECONDS
    compile_seconds: float = COMPILE_SECONDS
    saved_bytes_a_second: float = SAVED_BYTES_A_SECOND
    saves_are: Literal["measured", "assumed"] = "assumed"
    forward_share: float = FORWARD_SHARE
    on_aws: bool = True
    is_cpu: bool = False
    sixteen_bits: bool = True

    @property
    def usd_per_hour(self) -> float:
        return self.price.usd if self.price else 0.0

    def speed_for(self, size: ModelSize) -> Speed:
        """The speed of one device for a model."""
        return self.speed if isinstance(self.speed, Speed) else self.speed.speed_for(size.parameters)

    def tokens_per_second(self, size: ModelSize) -> float:
        """Trained tokens a second of all devices, without evaluation and saves."""
        linked = self.devices == 1 or isinstance(self.speed, Speed) or self.speed.nvlink
        share = 1.0 if linked else SEVERAL_GPUS_WITHOUT_NVLINK
        return self.devices * share * self.speed_for(size).flops_per_second / size.flops_per_token


@dataclass(frozen=True)
class Line:
    """A part of a run: its billed seconds, its dollars, and what the numbers rest on."""

    name: str
    seconds: float
    dollars: float
    basis: str


@dataclass(frozen=True)
class Row:
    """A model on a machine.

    Attributes:
        tokens: trained tokens; 0 if the budget buys none.
        speed: of one device for this model.
        sequences: computed at once on one device; 0 if not even one fits.
        memory_gib: of a step with that many sequences.
        lines: lead, compilation, training, evaluation, saves, and storage, which has no seconds.
        spot_lines: the same with interruptions, at the price of spot.
        loss: expected validation loss; None if the law refuses.
        no_loss: why there is none.
        refused: why this row is no choice; None if it is one.
    """

    machine: Machine
    size: ModelSize
    tokens: float
    speed: Speed
    tokens_per_second: float
    sequences: int
    memory_gib: float
    lines: tuple[Line, ...]
    spot_lines: tuple[Line, ...]
    loss: float | None
    no_loss: str | None
    refused: str | None

    @property
    def hours(self) -> float:
        return sum(line.seconds for line in self.lines) / 3600

    @property
    def dollars(self) -> float:
        return sum(line.dollars for line in self.lines)

    @property
    def spot_hours(self) -> float:
        return sum(line.seconds for line in self.spot_lines) / 3600

    @property
    def spot_dollars(self) -> float:
        return sum(line.dollars for line in self.spot_lines)

    @property
    def at_best(self) -> bool:
        """Whether the speed is that of much larger models, so that the hours are the fewest and the tokens the most."""
        return self.size.parameters < SMALL and self.speed.basis != "measured"

    @property
    def hours_error(self) -> float | None:
        """The share by which the hours may be off; None if they are a lower bound."""
        return None if self.at_best else ERRORS[self.speed.basis]

    @property
    def operations(self) -> float:
        """Floating-point operations of the training: what rows with different models are compared by."""
        return self.tokens * self.size.flops_per_token

    @property
    def save_seconds(self) -> float:
        """Seconds to write a checkpoint of weights and optimizer."""
        return BYTES_OF_A_CHECKPOINT * self.size.parameters / self.machine.saved_bytes_a_second

    @property
    def saves_in_time(self) -> bool:
        """Whether a checkpoint is complete before SageMaker kills a job that it has told to end."""
        return not self.machine.on_aws or self.save_seconds <= SECONDS_TO_KILL


@dataclass(frozen=True)
class Question:
    """What is asked. At least one of the three numbers decides how much is trained.

    Attributes:
        models: the sizes to choose from; one if the model is given.
        tokens: to train on; None: 20 for each parameter, or what the budget buys.
        budget_usd: most dollars of a row, on demand; with `tokens`, rows that cost more are refused.
    """

    models: tuple[ModelSize, ...]
    tokens: float | None = None
    budget_usd: float | None = None
    law: Law = field(default=FINEWEB)

    def __post_init__(self) -> None:
        numbers = (("the number of tokens", self.tokens, "2.5B"), ("the budget", self.budget_usd, "100"))
        for name, value, example in numbers:
            if value is None:
                continue
            if not value > 0:  # nan too
                raise InputError(f"{name} must be above zero, it is {value:g}", f"give for example {example}")
            if value >= MOST:
                raise InputError(f"{name} must be below {MOST:,.0f}, it is {value:g}", f"give for example {example}")


TOKENS_OF_A_PARAMETER = 20
"""Hoffmann et al. 2022; Besiroglu et al. 2024 find 20 to 26 at the sizes of GPT-2."""


MOST_HOURS_OF_A_JOB = 28 * 24
"""SageMaker's limit of MaxRuntimeInSeconds."""


def rhythm_of(size: ModelSize) -> Rhythm:
    """The rhythm of the recipe gpt2-124m for GPT-2's sizes, that of the recipe tiny for small models."""
    if size.parameters >= FINEWEB.least_parameters:
        return Rhythm(524_288, 500, 2**20, 600.0)
    return Rhythm(16 * size.context_length, 200, 65_536, 300.0)


def rows_of(question: Question, machines: Sequence[Machine]) -> list[Row]:
    """The row of each machine: of the one model, or of the model that suits the tokens which the budget buys there.

    Models are ranked by the formula of the published law, also below its range, where its losses mean nothing but it
    still asks for 20 to 26 tokens a parameter: a model is not better because the law covers it. A law that was fitted
    to a person's own runs ranks the models in its range, if there are any.
    """
    return [_best_row(question, machine) for machine in machines]


def row_of(size: ModelSize, tokens: float, machine: Machine, law: Law = FINEWEB) -> Row:
    """A model, trained on so many tokens on a machine."""
    bits, gpu_bytes = machine.sixteen_bits, None if machine.is_cpu else machine.memory_gib * GIB
    sequences = most_sequences(size, machine.memory_gib, sixteen_bits=bits, is_cpu=machine.is_cpu)
    memory = training_memory(size, max(sequences, 1), sixteen_bits=bits, gpu_bytes=gpu_bytes)
    refused = machine.refused
    if refused is None and not sequences:
        refused = f"one sequence needs {memory.gib:.1f} GiB of {machine.memory_gib:g}"
    if refused is None and tokens < 1:
        refused = "the budget ends before the first step"
    speed = machine.tokens_per_second(size)
    lines = _lines(size, tokens, speed, machine)
    no_loss = law.refusal(size.parameters, tokens)
    return Row(
        machine=machine,
        size=size,
        tokens=tokens,
        speed=machine.speed_for(size),
        tokens_per_second=speed,
        sequences=sequences,
        memory_gib=memory.gib,
        lines=lines,
        spot_lines=_on_spot(lines, machine, rhythm_of(size)) if machine.on_aws else lines,
        loss=None if no_loss else law.loss(size.parameters, tokens),
        no_loss=no_loss,
        refused=refused,
    )


def tokens_for(size: ModelSize, machine: Machine, budget_usd: float) -> float:
    """The tokens that a budget buys on demand, in three digits; 0 if they are fewer than those of one step.

    A job of SageMaker ends after 28 days, so a large budget is not spent on a slow machine. Every line grows with the
    tokens, so dollars and hours do, and bisection finds the tokens.
    """
    if not machine.usd_per_hour:
        raise InputError(f"a budget says nothing on {machine.name}, which costs nothing", "give --tokens")
    speed, most_hours = machine.tokens_per_second(size), most_hours_of(machine)

    def is_too_much(tokens: float) -> bool:
        lines = _lines(size, tokens, speed, machine)
        dollars, seconds = sum(line.dollars for line in lines), sum(line.seconds for line in lines)
        return dollars > budget_usd or seconds > 3600 * most_hours

    low, high = float(rhythm_of(size).step_tokens), MOST
    if is_too_much(low):
        return 0.0
    while high > 1.000001 * low:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_too_much(middle) else (middle, high)
    digits = 10 ** max(math.floor(math.log10(low)) - 2, 0)
    return float(math.floor(low / digits) * digits)


def most_hours_of(machine: Machine) -> float:
    """Hours after which a run ends at the latest: 28 days for a job of SageMaker."""
    return MOST_HOURS_OF_A_JOB if machine.name.startswith("ml.") else math.inf


def least_usd(size: ModelSize, machine: Machine) -> float:
    """Dollars of the first step of a model: the smallest budget that buys something."""
    lines = _lines(size, rhythm_of(size).step_tokens, machine.tokens_per_second(size), machine)
    return sum(line.dollars for line in lines)


def _best_row(question: Question, machine: Machine) -> Row:
    rows = [
        _within(row_of(size, _tokens(question, size, machine), machine, question.law), question)
        for size in question.models
    ]
    usable = [row for row in rows if row.refused is None]
    if not usable:
        return min(rows, key=lambda row: row.size.parameters)
    covered = [row for row in usable if row.loss is not None]
    if question.law == FINEWEB or not covered:
        return min(usable, key=lambda row: FINEWEB.loss(row.size.parameters, row.tokens))
    return min(covered, key=lambda row: row.loss or 0.0)


def _within(row: Row, question: Question) -> Row:
    """The row, refused if it costs more than the budget or takes longer than a job of SageMaker may."""
    if row.refused is not None:
        return row
    if question.budget_usd is not None and row.dollars > question.budget_usd:
        return replace(row, refused=f"over the budget: ${row.dollars:,.2f} on demand")
    if row.hours > most_hours_of(row.machine):
        return replace(row, refused=f"longer than 28 days, the most of a SageMaker job: {row.hours:,.0f} hours")
    return row


def _tokens(question: Question, size: ModelSize, machine: Machine) -> float:
    if question.tokens is not None:
        return question.tokens
    if question.budget_usd is not None:
        return tokens_for(size, machine, question.budget_usd)
    return float(TOKENS_OF_A_PARAMETER * size.parameters)


def _lines(size: ModelSize, tokens: float, tokens_per_second: float, machine: Machine) -> tuple[Line, ...]:
    training = tokens / tokens_per_second
    rhythm = rhythm_of(size)
    evaluations = tokens / rhythm.step_tokens / rhythm.eval_every
    evaluation = (evaluations + 1) * rhythm.eval_tokens * machine.forward_share / tokens_per_second
    checkpoint = BYTES_OF_A_CHECKPOINT * size.parameters
    count = max(training / rhythm.checkpoint_seconds, evaluations) + 1  # a run saves before it evaluates
    saves = count * checkpoint / machine.saved_bytes_a_second
    gigabytes = (KEPT_CHECKPOINTS * checkpoint + BYTES_OF_A_TOKEN * tokens) / 1e9
    speed = machine.speed_for(size)
    rate = f"{machine.saved_bytes_a_second / 1e6:.3g} MB/s, {machine.saves_are}"
    written = f"{count:,.0f} of {checkpoint / 1e9:.2g} GB at {rate}"
    basis = "assumed" if machine.on_aws else "measured"
    lead = "image, data and upload are billed" if machine.on_aws else "to start Python and torch"
    timed = (
        ("lead", machine.lead_seconds, f"{lead}; {basis}"),
        ("compile", machine.compile_seconds, f"before the first step; {basis}"),
        ("training", training, f"{speed.basis}: {speed.source}"),
        ("evaluation", evaluation, f"{rhythm.eval_tokens:,} tokens every {rhythm.eval_every} steps"),
        ("saves", saves, written),
    )
    lines = [Line(name, seconds, seconds / 3600 * machine.usd_per_hour, basis) for name, seconds, basis in timed]
    if machine.on_aws:
        region = machine.price.region if machine.price else REGION
        price = storage_price(region)
        kept = f"{gigabytes:.3g} GB of checkpoints and tokens in S3, one month"
        assumed = "" if price.region == region else f"; assumed: the price of {price.region}"
        lines.append(Line("storage", 0.0, gigabytes * price.usd, f"{kept}{assumed}"))
    return tuple(lines)


def _on_spot(lines: Sequence[Line], machine: Machine, rhythm: Rhythm) -> tuple[Line, ...]:
    """The lines of a spot job: at half the price, and with what interruptions repeat."""
    hours = sum(line.seconds for line in lines) / 3600
    count = hours / HOURS_BETWEEN_INTERRUPTIONS
    repeated = count * (machine.lead_seconds + machine.compile_seconds + rhythm.checkpoint_seconds / 2)
    basis = f"{count:.2g} expected, one in {HOURS_BETWEEN_INTERRUPTIONS:g} h; lead, compilation, half a checkpoint"
    again = Line("interruptions", repeated, repeated / 3600 * machine.usd_per_hour, f"{basis}; assumed")
    share = 1 - SPOT_DISCOUNT
    return tuple(
        line if line.name == "storage" else replace(line, dollars=line.dollars * share) for line in (*lines, again)
    )
