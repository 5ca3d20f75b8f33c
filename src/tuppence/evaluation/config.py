"""`EvalConfig`: the options of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class EvalConfig:
    """The options of an evaluation. None means the default of the task.

    Attributes:
        data: the data to score. For perplexity: a DATA folder (its validation split is scored), a text file, a folder
            or a glob; by default the data of the run. For other tasks: a file of rows.
        task_data: task name → its data; takes precedence over `data`.
        data_folder: the folder of the catalog's files.
        limit: score only this many rows, from the beginning of the file.
        context_length: the longest window of perplexity, in tokens.
        stride: tokens from the start of one window to the start of the next.
        batch_size: number of windows, or of prompts, in a batch.
        max_tokens: perplexity stops after this many scored tokens.
        answer_tokens: the longest answer, in tokens.
        judge_url, judge_model: the OpenAI-compatible endpoint that scores answers, and the name of its model.
        judge_key_env: the environment variable that holds the endpoint's key.
        num_fewshot: number of examples before each question of an lm-eval task, unless the task fixes it.
        task_path: a folder of lm-eval task files, used in addition to lm-eval's own.
        apply_chat_template: put lm-eval's prompts into turns of a conversation.
        text_column, label_column: the columns of a classifier's file; by default those that it was trained on, or else
            the columns that `read_labelled` finds.
        skip_bad_rows: leave out rows that cannot be used, and count them.
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
        """Returns the data that the user named for a task."""
        return self.task_data.get(task, self.data)
