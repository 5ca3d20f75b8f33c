"""Generates answers to instructions and keeps them in a row log; `tasks.exact_match` and `tasks.judge` score them.

The prompt is a conversation without its last response. The model answers greedily until its end of text. Files and
prompts have the formats of instruction finetuning (`data.records`). Answers are computed in float32, so that they
depend as little as possible on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuppence.core import console
from tuppence.core.errors import InputError
from tuppence.data.bad_rows import warn_of_skipped
from tuppence.data.records.conversations import read_conversations
from tuppence.data.records.encoding import encode_prompt
from tuppence.data.records.leaks import prompt_of, text_of
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.rows.files import find_file, sha256_of
from tuppence.evaluation.rows.log import RowLog
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel
from tuppence.model.sampling import Sampling
from tuppence.tokenizer.chat_template import Message

ANSWERS_AT_ONCE = 32


@dataclass(frozen=True)
class Asked:
    """A prompt and its reference answer.

    Attributes:
        messages: all messages before the last response.
        reference: the last response.
    """

    messages: tuple[Message, ...]
    reference: str


@prompt_of.register
def _(row: Asked) -> str:
    return text_of(row.messages)


@dataclass(frozen=True)
class AskedFile:
    """The prompts of a file.

    Attributes:
        path, sha256: of the file.
        rows: the prompts, in order.
    """

    path: str
    sha256: str
    rows: list[Asked]


def read_asked(path: str, limit: int | None = None, *, skip_bad_rows: bool = False) -> AskedFile:
    """Reads the first `limit` prompts of a file of instructions, or all.

    Raises:
        InputError: there is no such file, or a row is not an instruction with a response.
    """
    found = read_conversations(path, skip_bad_rows=skip_bad_rows)
    warn_of_skipped(path, found.skipped_rows)
    rows = [Asked(tuple(one.messages[:-1]), one.messages[-1].content) for one in found.rows]
    if not rows:
        raise InputError(f"{path} holds no instructions", "name a file that has some")
    return AskedFile(path, sha256_of(path), rows[:limit])


def asked_file(task: str, config: EvalConfig) -> AskedFile:
    """Reads the prompts of the file of a task.

    Raises:
        InputError: as `find_file` and `read_asked`.
    """
    path = find_file(task, config.data_of(task), config.data_folder)
    return read_asked(path, config.limit, skip_bad_rows=config.skip_bad_rows)


def how_answered(config: EvalConfig) -> dict[str, int]:
    """Returns the options that the answers depend on."""
    return {"answer_tokens": config.answer_tokens}


def answer_rows(loaded: LoadedModel[GPT], rows: Sequence[Asked], config: EvalConfig, log: RowLog) -> None:
    """Adds the answers to `log`, for every prompt that is not in the log yet. Batches have prompts of similar length.

    Raises:
        InputError: a prompt cannot be encoded.
    """
    missing = log.missing(len(rows))
    tokenizer = loaded.tokenizer.with_chat_template()
    prompts = {index: encode_prompt(tokenizer, rows[index].messages) for index in missing}
    missing.sort(key=lambda index: len(prompts[index]))
    size = config.batch_size or ANSWERS_AT_ONCE
    with console.progress("answers") as bar:
        progress = bar.add_task("answering", total=len(rows), completed=len(rows) - len(missing))
        for start in range(0, len(missing), size):
            batch = missing[start : start + size]
            generations = generate(
                loaded.model,
                [prompts[index] for index in batch],
                Sampling(temperature=0, max_tokens=config.answer_tokens),
                stop_ids=tokenizer.stop_ids,
                vocab_size=loaded.tokenizer.vocab_size,
            )
            for index, generation in zip(batch, generations, strict=True):
                result = {
                    "prompt": loaded.tokenizer.decode(prompts[index]),
                    "prompt_tokens": len(prompts[index]),
                    "reference": rows[index].reference,
                    "answer": loaded.tokenizer.decode(generation.ids),
                    "finish_reason": generation.finish_reason,
                }
                log.add(index, result)
            bar.advance(progress, len(batch))
