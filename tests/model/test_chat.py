from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.model.chat import Conversation
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.text import generate_text
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture
def conversation(lively: Callable[..., GPT]) -> Conversation:
    tokenizer = train_tokenizer(["the cat sat on the mat, and the dog sat on the cat"], vocab_size=280)
    config = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=64, vocab_size=tokenizer.vocab_size)
    return Conversation(lively(config), tokenizer, max_tokens=10, seed=1)


def test_every_answer_continues_all_that_was_said(conversation: Conversation) -> None:
    answers: list[str] = []
    prompt = ""
    for turn, line in enumerate(["the cat", "the dog"]):
        answers.append("")

        def on_text(piece: str) -> None:
            answers[-1] += piece

        conversation.reply(line, on_text)
        prompt += line
        expected = generate_text(conversation.model, conversation.tokenizer, [prompt], max_tokens=10, seed=1 + turn)
        assert answers[-1] == expected[0].text
        prompt += answers[-1] + "\n"


def test_the_oldest_turns_go_when_the_context_is_full(conversation: Conversation) -> None:
    for _ in range(12):
        conversation.reply("the cat sat on the mat", lambda piece: None)
    tokens = len(conversation.tokenizer.encode("\n".join(map("".join, conversation.turns))))
    assert 0 < tokens <= 64 + 10
    assert len(conversation.turns) < 12


def test_an_interrupted_answer_stays_as_far_as_it_came(conversation: Conversation) -> None:
    pieces: list[str] = []

    def on_text(piece: str) -> None:
        pieces.append(piece)
        if len(pieces) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        conversation.reply("the cat", on_text)
    assert conversation.turns == [("the cat", "".join(pieces))]


def test_an_instruction_model_is_asked_in_its_template(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers")
    seen: list[list[int]] = []

    def answer(*_: object, encoded: list[list[int]], on_text: Callable[[int, str], None], **__: object) -> None:
        seen.extend(encoded)
        on_text(0, " On the mat. ")

    monkeypatch.setattr("tuppence.model.chat.generate_text", answer)
    conversation.tokenizer = conversation.tokenizer.with_chat_template()
    conversation.model.config = conversation.model.config.model_copy(update={"context_length": 512})
    conversation.reply("Where sat the cat?", lambda piece: None)
    conversation.reply("And the dog?", lambda piece: None)
    with tempfile.TemporaryDirectory() as folder:
        conversation.tokenizer.save(Path(folder))
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
    turns = [
        {"role": "user", "content": "Where sat the cat?"},
        {"role": "assistant", "content": "On the mat."},
        {"role": "user", "content": "And the dog?"},
    ]
    expected = theirs.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    assert seen[1] == list(expected)


def test_reset_forgets(conversation: Conversation) -> None:
    conversation.reply("the cat", lambda piece: None)
    conversation.reset()
    assert conversation.turns == []


def test_a_model_with_the_template_of_another_tool_is_asked_in_it_and_stops_at_its_end(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatml = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    chatml += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    vocabulary = train_tokenizer(["the cat"], 270, special_tokens=("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    seen: list[Tokenizer] = []
    asked: list[list[int]] = []

    def answer(_: object, tokenizer: Tokenizer, *__: object, encoded: list[list[int]], **___: object) -> None:
        seen.append(tokenizer)
        asked.extend(encoded)

    monkeypatch.setattr("tuppence.model.chat.generate_text", answer)
    chat = Conversation(conversation.model, Tokenizer(vocabulary.vocabulary, chatml), max_tokens=4)
    chat.reply("Hi", lambda piece: None)
    assert seen[0].decode(asked[0]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert seen[0].special_tokens["<|im_end|>"] in seen[0].stop_ids
