"""Every request of lm-eval is answered as its own `hf` backend answers it on the same model."""

from __future__ import annotations

from typing import Any

import pytest
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from tuppence.core.errors import InputError
from tuppence.evaluation.lm_eval.adapter import TuppenceLM
from tuppence.model.loaded import load
from tuppence.tokenizer.chat_template import CHAT_TEMPLATE

WORDS = ["lamp", "rain", "café", "open", "stayed", "naïve", "nobody", "雨が降る", "minded it"]


@pytest.fixture(scope="module")
def ours(world: Any) -> TuppenceLM:
    return TuppenceLM(load(world.run, "cpu", "float32", head="lm"))


@pytest.fixture(scope="module")
def theirs(world: Any) -> HFLM:
    return HFLM(str(world.run / "model"), device="cpu", batch_size=4, dtype="float32")


def requests(kind: str, arguments: list[tuple[Any, ...]]) -> list[Instance]:
    return [Instance(kind, doc={}, arguments=one, idx=index) for index, one in enumerate(arguments)]


def test_log_likelihoods_are_those_of_the_hf_backend(ours: TuppenceLM, theirs: HFLM) -> None:
    pairs = [(" ".join(WORDS[: i % 10]), " " + WORDS[i % 9]) for i in range(25)] + [("", "The rain"), ("It ", "rained")]
    asked = requests("loglikelihood", pairs)
    for (log_probability, greedy), (expected, expected_greedy) in zip(
        ours.loglikelihood(asked), theirs.loglikelihood(asked, disable_tqdm=True), strict=True
    ):
        assert log_probability == pytest.approx(expected, abs=1e-4)
        assert greedy == expected_greedy


def test_all_tokens_of_a_text_longer_than_the_context_are_scored(
    ours: TuppenceLM, theirs: HFLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    # with its cache of logits on, lm-eval 0.4.13 takes the wrong rows for windows that share their tokens
    monkeypatch.setattr(theirs, "logits_cache", False)
    asked = requests("loglikelihood_rolling", [("The lamp was lit. " * count,) for count in (1, 5, 30)] + [("",)])
    assert ours.loglikelihood_rolling(asked) == pytest.approx(theirs.loglikelihood_rolling(asked), rel=1e-5)


@pytest.mark.parametrize("until", [[], [" "], ["ra", "\\n"], ["e"]])
def test_greedy_continuations_are_those_of_the_hf_backend(until: list[str], ours: TuppenceLM, theirs: HFLM) -> None:
    prompts = ["The lamp was lit, and", "It", "A third, short one. It rained again; nobody minded the rain", "x" * 90]
    asked = [(prompt, {"until": until, "max_gen_toks": 8, "do_sample": False}) for prompt in prompts]
    expected = [theirs.generate_until(requests("generate_until", [one]), disable_tqdm=True)[0] for one in asked]
    assert ours.generate_until(requests("generate_until", asked)) == expected


@pytest.mark.parametrize("last", ["user", "assistant"])
def test_a_conversation_is_the_text_that_the_hf_backend_makes_of_it(last: str, ours: TuppenceLM, theirs: HFLM) -> None:
    turns = ["system", "user", "assistant", "user"] + ["assistant"] * (last == "assistant")
    chat = [{"role": role, "content": f"{WORDS[number]} it."} for number, role in enumerate(turns)]
    theirs.tokenizer.chat_template = CHAT_TEMPLATE
    asks = last == "user"
    assert ours.apply_chat_template(chat, asks) == theirs.apply_chat_template(chat, asks)


def test_sampled_continuations_repeat_with_the_seed_of_python(ours: TuppenceLM) -> None:
    import random

    asked = requests("generate_until", [("The", {"do_sample": True, "temperature": 1.5, "max_gen_toks": 12})] * 3)
    texts = []
    for seed in (1, 1, 2):
        random.seed(seed)
        texts.append(ours.generate_until(asked))
    assert texts[0] == texts[1] != texts[2]
    assert len(set(texts[0])) > 1


def test_an_unknown_option_is_refused(ours: TuppenceLM) -> None:
    with pytest.raises(InputError, match="num_beams"):
        ours.generate_until(requests("generate_until", [("The", {"num_beams": 4})]))
