"""`EvalConfig`: the options of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EvalConfig:
    """The options of an evaluation; None is the task's default.

    Attributes:
        data: what is scored: for perplexity a DATA folder (its validation split), a text file, a folder or a glob, and
            the run's own data if absent; for a task of rows its file.
        task_data: the same for single tasks, by their names; comes before `data`.
        data_folder: where files of the catalog are looked for.
        limit: rows of a file to score, from its beginning; a quick look.
        context_length: the longest window of perplexity, in tokens.
        stride: tokens from one window's start to the next.
        batch_size: windows, or prompts that are answered, at once.
        max_tokens: perplexity stops after this many scored tokens.
        answer_tokens: the longest answer, in tokens.
        judge_url, judge_model: the OpenAI-compatible endpoint that scores answers, and the model it should use.
        judge_key_env: the environment variable that holds its key.
        num_fewshot: examples before each question of an lm-eval task, where the task does not fix them.
        task_path: a folder of lm-eval task files, beside lm-eval's own.
        apply_chat_template: lm-eval's prompts become turns of a conversation.
        text_column, label_column: of a classifier's file; those that it was trained on, or found, if absent.
        skip_bad_rows: leave out rows that cannot be used, and count them, where a task reads a person's own rows.
    """

    data: str | None = None
    task_data: Mapping[str, str] = field(default_factory=dict)
    data_folder: str = "data"
    limit: int | None = None
    context_length: int | None = None
    stride: int | None = None
    batch_size: int | None = None
    max_tokens: int | None = None
    answer_tokens: int = 128
    judge_url: str | None = None
    judge_model: str | None = None
    judge_key_env: str | None = None
    num_fewshot: int | None = None
    task_path: str | None = None
    apply_chat_template: bool = False
    text_column: str | None = None
    label_column: str | None = None
    skip_bad_rows: bool = False

    def data_of(self, task: str) -> str | None:
        """The data that was named for a task."""
        return self.task_data.get(task, self.data)
