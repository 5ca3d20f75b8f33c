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

from tuppence.core.errors import InputError
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT, KEPT_CHECKPOINTS, LEAD_SECONDS, SPOT_DISCOUNT
from tuppence.cost.hardware import Basis, Speed
from tuppence.cost.law import FINEWEB, Law
from tuppence.cost.memory import GIB, ModelSize, most_sequences, training_memory
from tuppence.cost.rates import Price, other_price

COMPILE_SECONDS = 60.0
FORWARD_SHARE = 1 / 3
"""Of the operations of a trained token: an evaluated one has no backward pass."""
SAVED_BYTES_A_SECOND = 150e6
"""Assumed, for a checkpoint that is written, verified and uploaded to S3."""
SEVERAL_GPUS_WITHOUT_NVLINK = 0.85
"""Assumed share of the speed that remains with several GPUs of a g4dn, g5, g6 or g6e. Published speeds of the A100 and
the H100 are from eight GPUs."""
HOURS_BETWEEN_INTERRUPTIONS = 24.0
"""Assumed mean time between two reclaims of a spot instance (a Poisson process). EC2's highest public band begins at
20 % a month, one in 134 days; what SageMaker's pool does is not published."""
BYTES_OF_A_TOKEN = 2
ERRORS: dict[Basis, float] = {"measured": 0.15, "published": 0.25, "assumed": 0.5}
"""How far the hours may be off, by the basis of the speed; the published runs in the tests are within it."""


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
        speed: of one device.
        price: of an hour; None if it costs nothing by the hour.
        refused: why it cannot be used.
        lead_seconds, compile_seconds: before the first step.
        saved_bytes_a_second: of a checkpoint, written and verified, on AWS also uploaded.
        forward_share: the time of an evaluated token over that of a trained one.
        on_aws: whether there is spot, and storage in S3.
        is_cpu: whether the memory is that of a CPU.
        sixteen_bits: whether it trains in bf16 or fp16.
    """

    name: str
    device: str
    devices: int
    memory_gib: float
    speed: Speed
    price: Price | None
    refused: str | None = None
    lead_seconds: float = LEAD_SECONDS
    compile_seconds: float = COMPILE_SECONDS
    saved_bytes_a_second: float = SAVED_BYTES_A_SECOND
    forward_share: float = FORWARD_SHARE
    on_aws: bool = True
    is_cpu: bool = False
    sixteen_bits: bool = True

    @property
    def usd_per_hour(self) -> float:
        return self.price.usd if self.price else 0.0

    def tokens_per_second(self, size: ModelSize) -> float:
        """Trained tokens a second of all devices, without evaluation and saves."""
        share = 1.0
        if self.devices > 1 and self.speed.basis == "assumed":
            share = SEVERAL_GPUS_WITHOUT_NVLINK
        return self.devices * share * self.speed.flops_per_second / size.flops_per_token


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
    def hours_error(self) -> float:
        """The share by which the hours may be off."""
        return ERRORS[self.machine.speed.basis]


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
        for name, value in (("tokens", self.tokens), ("budget", self.budget_usd)):
            if value is not None and not 0 < value < 1e15:
                raise InputError(f"{name} must be a number above zero, it is {value}", "give another one")


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
    """The row of each machine: of the one model, or of the model with the lowest expected loss.

    If the law says nothing about any of them, it is the model whose tokens are nearest to 20 for each parameter.
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
    """The tokens that a budget buys on demand, in three digits; 0 if lead and compilation alone cost more.

    Every line grows with the tokens, so the dollars do, and bisection finds the tokens.
    """
    if not machine.usd_per_hour:
        raise InputError(f"a budget says nothing on {machine.name}, which costs nothing", "give --tokens")

    def dollars(tokens: float) -> float:
        return sum(line.dollars for line in _lines(size, tokens, machine.tokens_per_second(size), machine))

    low, high = 0.0, 1e15
    if dollars(1.0) > budget_usd:
        return 0.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if dollars(middle) <= budget_usd else (low, middle)
    digits = 10 ** max(math.floor(math.log10(max(low, 1))) - 2, 0)
    return float(math.floor(low / digits) * digits)


def _best_row(question: Question, machine: Machine) -> Row:
    rows = [row_of(size, _tokens(question, size, machine), machine, question.law) for size in question.models]
    return min((_within(row, question) for row in rows), key=_preference)


def _within(row: Row, question: Question) -> Row:
    """The row, refused if it costs more than the budget or takes longer than a job of SageMaker may."""
    if row.refused is not None:
        return row
    if question.budget_usd is not None and row.dollars > question.budget_usd:
        return replace(row, refused=f"over the budget: ${row.dollars:,.2f} on demand")
    if row.machine.name.startswith("ml.") and row.hours > MOST_HOURS_OF_A_JOB:
        return replace(row, refused=f"longer than 28 days, the most of a SageMaker job: {row.hours:,.0f} hours")
    return row


def _tokens(question: Question, size: ModelSize, machine: Machine) -> float:
    if question.tokens is not None:
        return question.tokens
    if question.budget_usd is not None:
        return tokens_for(size, machine, question.budget_usd)
    return float(TOKENS_OF_A_PARAMETER * size.parameters)


def _preference(row: Row) -> tuple[bool, bool, float]:
    """Sorts rows: those that can be used, those with an expected loss, the lowest loss or the best ratio."""
    ratio = max(row.tokens, 1.0) / (TOKENS_OF_A_PARAMETER * row.size.parameters)
    return row.refused is not None, row.loss is None, abs(math.log(ratio)) if row.loss is None else row.loss


def _lines(size: ModelSize, tokens: float, tokens_per_second: float, machine: Machine) -> tuple[Line, ...]:
    training = tokens / tokens_per_second
    rhythm = rhythm_of(size)
    evaluations = tokens / rhythm.step_tokens / rhythm.eval_every
    evaluation = (evaluations + 1) * rhythm.eval_tokens * machine.forward_share / tokens_per_second
    checkpoint = BYTES_OF_A_CHECKPOINT * size.parameters
    count = max(training / rhythm.checkpoint_seconds, evaluations) + 1  # a run saves before it evaluates
    saves = count * checkpoint / machine.saved_bytes_a_second
    gigabytes = (KEPT_CHECKPOINTS * checkpoint + BYTES_OF_A_TOKEN * tokens) / 1e9
    speed = machine.speed
    written = f"{count:,.0f} of {checkpoint / 1e9:.2g} GB at {machine.saved_bytes_a_second / 1e6:.3g} MB/s"
    basis = "assumed" if machine.on_aws else "measured"
    lead = "image, data and upload are billed" if machine.on_aws else "to start Python and torch"
    timed = (
        ("lead", machine.lead_seconds, f"{lead}; assumed"),
        ("compile", machine.compile_seconds, f"before the first step; {basis}"),
        ("training", training, f"{speed.basis}: {speed.source}"),
        ("evaluation", evaluation, f"{rhythm.eval_tokens:,} tokens every {rhythm.eval_every} steps"),
        ("saves", saves, f"{written}, {basis}"),
    )
    lines = [Line(name, seconds, seconds / 3600 * machine.usd_per_hour, basis) for name, seconds, basis in timed]
    if machine.on_aws:
        storage = gigabytes * other_price("S3", "storage", "standard").usd
        lines.append(Line("storage", 0.0, storage, f"{gigabytes:.3g} GB of checkpoints and tokens in S3, one month"))
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
