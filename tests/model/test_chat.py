from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tuppence.model.chat import ChatSession
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.text import generate_text
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture
def session(lively: Callable[..., GPT]) -> ChatSession:
    tokenizer = train_tokenizer(["the cat sat on the mat, and the dog sat on the cat"], vocab_size=280)
    config = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=64, vocab_size=tokenizer.vocab_size)
    return ChatSession(lively(config), tokenizer, Sampling(max_tokens=10, seed=1))


def test_every_answer_continues_the_whole_transcript(session: ChatSession) -> None:
    answers: list[str] = []
    prompt = ""
    for turn, line in enumerate(["the cat", "the dog"]):
        answers.append("")

        def on_text(piece: str) -> None:
            answers[-1] += piece

        session.reply(line, on_text)
        prompt += line
        expected = generate_text(session.model, session.tokenizer, [prompt], Sampling(max_tokens=10, seed=1 + turn))
        assert answers[-1] == expected[0].text
        prompt += answers[-1] + "\n"


def test_the_oldest_turns_are_dropped_when_the_context_is_full(session: ChatSession) -> None:
    for _ in range(12):
        session.reply("the cat sat on the mat", lambda piece: None)
    tokens = len(session.tokenizer.encode("\n".join(map("".join, session.turns))))
    assert 0 < tokens <= 64 + 10
    assert len(session.turns) < 12


def test_the_generated_part_of_an_interrupted_answer_is_kept(session: ChatSession) -> None:
    pieces: list[str] = []

    def on_text(piece: str) -> None:
        pieces.append(piece)
        if len(pieces) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.reply("the cat", on_text)
    assert session.turns == [("the cat", "".join(pieces))]


def test_the_prompt_of_an_instruction_model_uses_its_template(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    transformers = pytest.importorskip("transformers")
    seen: list[list[int]] = []

    def answer(_: GPT, __: Tokenizer, prompts: list[list[int]], ___: Sampling) -> list[tuple[int, str]]:
        seen.extend(prompts)
        return [(0, " On the mat. ")]

    monkeypatch.setattr("tuppence.model.chat.TextDecoder", answer)
    session.tokenizer = session.tokenizer.with_chat_template()
    session.model.config = session.model.config.model_copy(update={"context_length": 512})
    session.reply("Where sat the cat?", lambda piece: None)
    session.reply("And the dog?", lambda piece: None)
    with tempfile.TemporaryDirectory() as folder:
        session.tokenizer.save(Path(folder))
        theirs = transformers.AutoTokenizer.from_pretrained(folder)
    turns = [
        {"role": "user", "content": "Where sat the cat?"},
        {"role": "assistant", "content": "On the mat."},
        {"role": "user", "content": "And the dog?"},
    ]
    expected = theirs.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    assert seen[1] == list(expected)


def test_reset_empties_the_transcript(session: ChatSession) -> None:
    session.reply("the cat", lambda piece: None)
    session.reset()
    assert session.turns == []


def test_a_template_of_another_tool_is_used_with_its_end_token(
    session: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatml = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    chatml += "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    vocabulary = train_tokenizer(["the cat"], 270, special_tokens=("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    seen: list[Tokenizer] = []
    asked: list[list[int]] = []

    def answer(_: GPT, tokenizer: Tokenizer, prompts: list[list[int]], __: Sampling) -> list[tuple[int, str]]:
        seen.append(tokenizer)
        asked.extend(prompts)
        return []

    monkeypatch.setattr("tuppence.model.chat.TextDecoder", answer)
    chat = ChatSession(session.model, Tokenizer(vocabulary.vocabulary, chatml), Sampling(max_tokens=4))
    chat.reply("Hi", lambda piece: None)
    assert seen[0].decode(asked[0]) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert seen[0].special_tokens["<|im_end|>"] in seen[0].stop_ids
