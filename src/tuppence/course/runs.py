"""`tp.open(run)`: the view of a run folder, which shows itself in a notebook and in a terminal."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from tuppence.core.console import listening
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.core.table import Table
from tuppence.course.display import facts
from tuppence.course.reading import answer, write
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.scoring.classifier import classify
from tuppence.evaluation.task import Metrics
from tuppence.figures.export import export
from tuppence.figures.report.page import write_report
from tuppence.figures.report.receipt import read_receipt
from tuppence.figures.run_data import Row, RunData, read_run, series
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.model.loaded import LoadedModel, load
from tuppence.tokenizer import Tokenizer


@dataclass(frozen=True)
class Receipt:
    """What a run took and cost, over all attempts.

    Attributes:
        seconds: wall time.
        dollars: US dollars.
        tokens: trained tokens.
        steps: optimizer steps.
        attempts: starts of the run.
    """

    seconds: float
    dollars: float
    tokens: int
    steps: int
    attempts: int = 1

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def __radd__(self, other: int) -> Receipt:
        """Lets `sum` add receipts."""
        return self if other == 0 else NotImplemented

    def __repr__(self) -> str:
        return (
            f"${self.dollars:.4f} · {duration(self.seconds)} · {self.tokens:,} tokens · {self.steps:,} steps"
            f" · {self.attempts} attempt{'s' * (self.attempts != 1)}"
        )


class Run:
    """A run: what was trained, how it went, and the model.

    Args:
        path: the run folder.
        model: the trained model, if it is in memory; else it is read from the folder when it is first used.
    """

    def __init__(self, path: str | Path, *, model: nn.Module | None = None) -> None:
        self.path = Path(path)
        self._model = model
        self.data: RunData = read_run(self.path)  # the files of the run, as the report reads them

    @cached_property
    def loaded(self) -> LoadedModel[Any]:
        """The model of the folder with its tokenizer, in float32 on this machine's device."""
        with listening():
            return load(self.path, "auto", "float32")

    @property
    def model(self) -> Any:
        """The model in evaluation mode: a `GPT`, or a `SequenceScorer` of a classifier or reward model."""
        return self.loaded.model if self._model is None else self._model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the model was trained with.

        Raises:
            InputError: the run was trained from memory, on token ids.
        """
        if self._model is not None:
            raise InputError("a model that was fitted in memory has no tokenizer", "use the one that made its tokens")
        return self.loaded.tokenizer

    @property
    def metrics(self) -> Sequence[Row]:
        """The logged rows, one for each step: loss, learning_rate, grad_norm, tokens, seconds, …"""
        return self.data.metrics

    def series(self, name: str) -> tuple[list[float], list[float]]:
        """Returns the steps at which a metric was logged, and its values: `run.series("val_loss")`."""
        return series(self.metrics, name)

    def last(self, name: str) -> float:
        """Returns the last logged value of a metric.

        Raises:
            InputError: it was never logged.
        """
        values = self.series(name)[1]
        if not values:
            known = sorted({key for row in self.metrics for key in row})
            raise InputError(f"{self.path} has no metric {name!r}", f"it has: {', '.join(known)}")
        return values[-1]

    @property
    def config(self) -> dict[str, Any]:
        """The complete recipe, by section."""
        return dict(self.data.get("config") or {})

    @property
    def receipt(self) -> Receipt:
        """What the run took and cost."""
        found, result = read_receipt(self.data), self.data.get("result") or {}
        return Receipt(
            found.seconds,
            found.dollars,
            int(result.get("tokens") or 0),
            int(result.get("steps") or 0),
            len(found.attempts),
        )

    @property
    def samples(self) -> Table:
        """The texts that the model generated during training."""
        return Table(["step", "text"], [[row["step"], f"{row['prompt']}{row['text']}"] for row in self.data.samples])

    def write(
        self, prompt: str = "", max_tokens: int = 60, temperature: float = 0.8, seed: int = 0, **more: Any
    ) -> str:
        """Returns a prompt with the model's continuation, as `tp.write`."""
        return write(self._language_model(), self.tokenizer, prompt, max_tokens, temperature, seed, **more)

    def answer(self, request: str, max_tokens: int = 60, temperature: float = 0.0, seed: int = 0) -> str:
        """Returns the model's answer to a request, as `tp.answer`."""
        return answer(self._language_model(), self.tokenizer, request, max_tokens, temperature, seed)

    def classify(self, *texts: str) -> Table:
        """Returns the label of each text and its probability.

        Raises:
            InputError: the model is no classifier.
        """
        if not isinstance(self.model, SequenceScorer):
            raise InputError(f"{self.path} is a language model, not a classifier", "open a run of tp.classify")
        found = list(classify(self.loaded, texts))
        return Table(
            ["text", "label", "probability"], [[row.text, row.label, row.probabilities[row.label]] for row in found]
        )

    def evaluate(self, *tasks: str, **options: Any) -> dict[str, Metrics]:
        """Measures the model, as `tuppence evaluate`: task → metrics. `options` are those of `EvalConfig`."""
        with listening():
            return evaluate(self.path, tasks or None, EvalConfig(**options))

    def report(self, out: str | Path | None = None) -> Path:
        """Writes the report of the run, RUN/report.html by default, and returns its path."""
        with listening():
            return write_report(self.path, out)

    def export(self, to: str, out: str | Path, *, beside: Run | str | Path | None = None) -> Path:
        """Writes the model as a live page ("page"), a Hugging Face folder ("hf") or an adapter ("peft").

        Args:
            beside: for a page, a second model that reads the same text: a run, or its folder.
        """
        return export(self.path, to, out, beside=beside.path if isinstance(beside, Run) else beside)

    def _language_model(self) -> GPT:
        if not isinstance(self.model, GPT):
            raise InputError(f"{self.path} is a classifier, not a language model", "use .classify(text)")
        return self.model

    def _summary(self) -> Table:
        result, data = self.data.get("result") or {}, self.data
        shown = {
            "run": self.path.name,
            "verb": data.get("verb"),
            "status": f"{data.get('status')}: it {data.get('ended_because')}",
            "parameters": data.get("parameters"),
            "steps": result.get("steps"),
            "tokens": result.get("tokens"),
            "validation loss": result.get("best_val_loss"),
            "receipt": repr(self.receipt),
        }
        return facts({name: value for name, value in shown.items() if value is not None})

    def __repr__(self) -> str:
        return repr(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def open_run(path: str | Path) -> Run:
    """Opens a run folder: `.model`, `.metrics`, `.receipt`, `.write(prompt)`, `.evaluate()`, `.report()` and more.

    Raises:
        InputError: there is no run.
    """
    return Run(path)


def temporary_folder(name: str) -> Path:
    """Returns the path of a new run folder that is removed when the process ends."""
    root = Path(tempfile.mkdtemp(prefix="tuppence-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return root / name
