"""The tokenizer in JavaScript against ours, in Node."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from tests.figures.page.conftest import toy_tokenizer
from tests.tokenizer.test_foreign_template import SPECIAL, TEMPLATES

from tuppence.core.errors import InputError
from tuppence.data.records.encoding import encode_prompt
from tuppence.figures.page.packing import SPLIT_PATTERNS, javascript_pattern, pack_tokenizer
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message
from tuppence.tokenizer.patterns import PATTERNS, PatternName

Node = Callable[[str, Any], Any]

ENCODE = "({packed, texts}) => { const t = new Tokenizer(packed); return texts.map((text) => t.encode(text)); }"
DECODE = "({packed, ids}) => { const t = new Tokenizer(packed); return ids.map((row) => t.decode(row)); }"

AWKWARD = [
    *("", " ", "  ", "\n", "\r\n", "a\n", " a  \n\n b ", "\t\tx", "x \r\n  \n", "   end   ", "1234567 12,345.67"),
    *(
        "It's we'll I'M THEY'RE o'clock 'S 'ſ 'LL 'Ve",
        "naïve café e\u0301 ﬁ",
        "字幕と漢字 한국어 हिन्दी မြန်မာ العربية עברית",
    ),
    *(
        "👩‍👩‍👧‍👦 🇩🇪 👍🏽 ☺️",
        "\ufeffBOM\ufeff",
        "a\u00a0b\u2003c\u3000d\u0085e\u180ef\u200bg\u2028h",
        "\x00\x1c\x1d\x1e\x1f\x7f",
    ),
    *("<|endoftext|> and <|user|>", "</script><!--", "Ⅷ ½ ²³ ٣٤ 𝟘𝟙 ①", "!?…—«»", "𝒳𐍈𐐷", "\ufffd"),
]
ALPHABETS = [
    "abc ABC '’sdmtlvre",
    " \t\n\r\v\f\u0085\u00a0\u1680\u2000\u2009\u2028\u2029\u202f\u205f\u3000\u200b\ufeff\u180e",
    "0123456789٣४½Ⅷ²",
    ".,;:!?-–—()[]{}<>/\\\"'&%$#@*+=_|~^`",
    "éüñçßſıİΣςЖяאבعغकिखთ字幕한ひカー",
    "👩👧🇩🇪👍🏽️\u200d😀🏴\U000e0067",
    "e\u0301n\u0303\u0327a\u0308",
]


def fuzz_texts(count: int) -> list[str]:
    chance = random.Random(0)
    known = [chr(code) for code in range(0x30000) if unicodedata.category(chr(code)) not in ("Cn", "Cs")]
    texts = []
    for _ in range(count):
        alphabets = [*chance.sample(ALPHABETS, 3), "".join(chance.sample(known, 5))]
        texts.append("".join(chance.choice(chance.choice(alphabets)) for _ in range(chance.randrange(1, 40))))
    return texts


@pytest.mark.parametrize("pattern", PATTERNS)
def test_ids_are_those_of_our_tokenizer(pattern: PatternName, node: Node) -> None:
    tokenizer = toy_tokenizer(pattern, ("<|endoftext|>", "<|user|>"))
    texts = AWKWARD + fuzz_texts(3000)
    ids = node(ENCODE, {"packed": pack_tokenizer(tokenizer), "texts": texts})
    for text, theirs in zip(texts, ids, strict=True):
        assert theirs == tokenizer.encode(text), f"{text!r}"


def test_a_lone_surrogate_is_the_replacement_character(node: Node) -> None:
    tokenizer = toy_tokenizer()
    texts = ["a\ud83d b", "\ude00\ud83d", "\ud83d\ude00"]
    ids = node(ENCODE, {"packed": pack_tokenizer(tokenizer), "texts": texts})
    assert ids == [tokenizer.encode(text) for text in texts]


def test_any_ids_decode_to_the_text_of_our_tokenizer(node: Node) -> None:
    tokenizer, chance = toy_tokenizer(special_tokens=("<|endoftext|>", "<|é|>")), random.Random(1)
    rows = [[chance.randrange(tokenizer.vocab_size) for _ in range(8)] for _ in range(500)]
    texts = node(DECODE, {"packed": pack_tokenizer(tokenizer), "ids": rows})
    assert texts == [tokenizer.decode(row) for row in rows]


def test_a_token_is_shown_as_text_or_as_bytes_or_by_its_name(node: Node) -> None:
    tokenizer = toy_tokenizer()
    ids = [tokenizer.encode(" ")[0], tokenizer.encode("\n")[0], *tokenizer.encode("\x00€"), tokenizer.end_of_text]
    function = "({packed, ids}) => { const t = new Tokenizer(packed); return ids.map((id) => t.show(id)); }"
    shown = node(function, {"packed": pack_tokenizer(tokenizer), "ids": ids})
    assert shown[0]["name"] == "“\u00a0”"
    assert [one["name"] for one in shown[2:]] == ["byte 00", "byte e2", "byte 82", "byte ac", "end of text"]
    assert [(one["text"], one["plain"]) for one in shown] == [
        *((" ", True), ("\n", True), ("00", False), ("e2", False), ("82", False), ("ac", False)),
        ("end of text", False),
    ]


ENCODE_TURN = """({packed, prompts}) => {
  const t = new Tokenizer(packed);
  return prompts.map((prompt) => t.encodeTurn(packed.template, prompt));
}"""


@pytest.mark.parametrize("name", [None, *TEMPLATES])
def test_a_request_becomes_the_prompt_of_chat_with_the_models_own_template(name: str | None, node: Node) -> None:
    tokenizer = toy_tokenizer(special_tokens=SPECIAL)
    if name is not None:
        source, end = TEMPLATES[name]
        tokenizer = Tokenizer(tokenizer.vocabulary, source, end)
        assert tokenizer.foreign_template is not None
    tokenizer = tokenizer.with_chat_template()
    prompts = ["Hi", "  a b\n", "It's 7 o'clock.", "a <|im_end|> b"]
    packed = pack_tokenizer(tokenizer)
    expected = [encode_prompt(tokenizer, [Message("user", prompt)]) for prompt in prompts]
    assert node(ENCODE_TURN, {"packed": packed, "prompts": prompts}) == expected
    assert packed["note"] == ""


def test_a_template_that_cannot_be_used_is_none_and_the_page_says_so() -> None:
    tokenizer = Tokenizer(toy_tokenizer().vocabulary, "{{ messages | map(attribute='x') }}", "<|endoftext|>")
    packed = pack_tokenizer(tokenizer)
    assert packed["template"] is None
    assert "plain completion" in packed["note"]


def test_every_pattern_of_ours_has_a_counterpart_and_another_is_refused() -> None:
    assert list(SPLIT_PATTERNS) == list(PATTERNS)
    with pytest.raises(InputError, match="'llama3' has no counterpart in JavaScript"):
        javascript_pattern("llama3")
