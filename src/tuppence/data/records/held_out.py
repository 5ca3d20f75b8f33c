"""RUN/held-out.jsonl: the held-out rows of a run, and the answers of models to them. One schema:

    {"kind": "conversation", "messages": […]}                         finetune instruct
    {"kind": "preference", "prompt": […], "chosen": …, "rejected": …}  align reward, align dpo
    {"kind": "prompt", "prompt": …}                                    align ppo

An alignment adds `before` and `after`, the answers of the base model and of the trained model: `{"text": …}` and the
measurements of each. `read_conversations` and `read_preferences` read the rows of the first two kinds, also from files
of earlier versions without `kind`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tuppence.core.files import encode_json, write_bytes
from tuppence.core.numbers import finite_or_none
from tuppence.core.run import Run
from tuppence.data.records.conversations import Conversation
from tuppence.data.records.preferences import Preference
from tuppence.tokenizer.chat_template import Message


def conversation_row(conversation: Conversation) -> dict[str, Any]:
    """A row of kind "conversation"; a response that is not trained has weight 0."""
    messages = [_message(message) | ({} if message.trained else {"weight": 0}) for message in conversation.messages]
    return {"kind": "conversation", "messages": messages}


def preference_row(pair: Preference, answers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A row of kind "preference".

    Args:
        answers: the answers of models, by "before" and "after".
    """
    texts = {name: {"text": text} for name, text in (answers or {}).items()}
    prompt = [_message(message) for message in pair.prompt]
    return {"kind": "preference", "prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected, **texts}


def prompt_row(prompt: str, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row of kind "prompt".

    Args:
        answers: `{"text": …}` and numbers, by "before" and "after".
    """
    return {"kind": "prompt", "prompt": prompt, **answers}


def write_held_out(run: Run, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes RUN/held-out.jsonl, complete or absent. Numbers that are not finite become null."""
    write_bytes(run.held_out_file, b"".join(encode_json(finite_or_none(row)) + b"\n" for row in rows))


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": message.content}
