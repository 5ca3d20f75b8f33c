"""Log-likelihoods against transformers' logits, one continuation at a time; text is cut as lm-eval cuts it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lm_eval.api.model import TemplateLM
from transformers import AutoModelForCausalLM

from tuppence.core.errors import InputError, NonFiniteError
from tuppence.evaluation.scoring.likelihood import Likelihood, Question, encode_question, score_questions
from tuppence.model.gpt import GPT
from tuppence.model.weights import load_model
from tuppence.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def model(world: Any) -> GPT:
    return load_model(world.model)


@pytest.fixture(scope="module")
def theirs(world: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(world.model).eval()


def by_transformers(theirs: Any, context: list[int], continuation: list[int], length: int = 32) -> Likelihood:
    """All logits of one context and continuation, with the softmax of torch."""
    ids = (context + continuation)[-length - 1 :]
    with torch.no_grad():
        log_probabilities_TV = theirs(torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)[-len(continuation) :]
    chosen = log_probabilities_TV[torch.arange(len(continuation)), torch.tensor(continuation)]
    return Likelihood(chosen.sum().item(), log_probabilities_TV.argmax(-1).tolist() == continuation)


def random_questions(count: int, longest_context: int, longest_continuation: int, vocabulary: int) -> list[Question]:
    torch.manual_seed(5)

    def ids(longest: int) -> list[int]:
        return torch.randint(0, vocabulary, (int(torch.randint(1, longest + 1, ())),)).tolist()

    return [Question(ids(longest_context), [ids(longest_continuation) for _ in range(1 + i % 4)]) for i in range(count)]


@pytest.mark.parametrize("share_contexts", [True, False])
@pytest.mark.parametrize("tokens_per_batch", [1, 100, 4096])
def test_every_continuation_has_the_probability_that_transformers_gives_it(
    share_contexts: bool, tokens_per_batch: int, model: GPT, theirs: Any
) -> None:
    questions = random_questions(24, longest_context=36, longest_continuation=12, vocabulary=model.config.vocab_size)
    options = {"share_contexts": share_contexts, "tokens_per_batch": tokens_per_batch}
    scores = dict(score_questions(model, questions, **options))  # type: ignore[arg-type]
    assert sorted(scores) == list(range(24))
    for index, question in enumerate(questions):
        for ours, continuation in zip(scores[index], question.continuations, strict=True):
            expected = by_transformers(theirs, question.context, continuation)
            assert ours.log_probability == pytest.approx(expected.log_probability, abs=1e-4)
            assert ours.is_greedy == expected.is_greedy


def test_is_greedy_if_the_continuation_is_the_models_own(model: GPT, theirs: Any) -> None:
    context = [3, 1, 4]
    written = theirs.generate(torch.tensor([context]), max_new_tokens=4, do_sample=False)[0, 3:].tolist()
    other = [*written[:-1], (written[-1] + 1) % 256]
    [(_, likelihoods)] = score_questions(model, [Question(context, [written, other])])
    assert [one.is_greedy for one in likelihoods] == [True, False]


def test_a_context_that_is_too_long_loses_its_oldest_tokens(model: GPT) -> None:
    context, continuation = list(range(100)), [7, 8, 9]
    seen = context[-(33 - len(continuation)) :]
    results = [next(score_questions(model, [Question(one, [continuation])]))[1][0] for one in (context, seen)]
    assert results[0].log_probability == pytest.approx(results[1].log_probability, abs=1e-5)


class TheirEncoding(TemplateLM):
    """lm-eval's own code for pairs, with our tokenizer below it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.ours = tokenizer

    eot_token_id = 0

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **kwargs: Any) -> list[int]:
        return self.ours.encode(string)

    def _loglikelihood_tokens(self, requests: Any, **kwargs: Any) -> Any: ...
    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> Any: ...
    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> Any: ...


@pytest.mark.parametrize(
    ("context", "continuation"),
    [
        ("The lamp was lit", " and stayed open"),
        ("The lamp was lit ", "and stayed open"),
        ("The lamp was lit  \n", "and"),
        ("It rained.\nIt", "rained"),
        ("naïve 雨", "が降る。"),
        ("The la", "mp was lit"),
    ],
)
def test_the_boundary_of_context_and_continuation_is_lm_evals(context: str, continuation: str, world: Any) -> None:
    question = encode_question(world.tokenizer, context, [continuation])
    assert (question.context, question.continuations[0]) == TheirEncoding(world.tokenizer)._encode_pair(
        context, continuation
    )


def test_an_empty_context_is_end_of_text(world: Any) -> None:
    question = encode_question(world.tokenizer, "", ["It rained."])
    assert question == Question([world.tokenizer.end_of_text], [world.tokenizer.encode("It rained.")])


def test_continuations_that_cannot_be_scored_are_refused(model: GPT, world: Any) -> None:
    with pytest.raises(InputError, match="no token of its own"):
        encode_question(world.tokenizer, "It rained.", [""])
    with pytest.raises(InputError, match="a continuation has 33 tokens, and the model sees 32"):
        list(score_questions(model, [Question([1], [[1] * 33])]))
    with pytest.raises(InputError, match="token 999 is not in the vocabulary"):
        list(score_questions(model, [Question([1], [[999]])]))


def test_nan_in_the_predictions_is_an_error(world: Any) -> None:
    model = load_model(world.model)
    with torch.no_grad():
        model.final_norm.weight.fill_(torch.nan)
    with pytest.raises(NonFiniteError):
        list(score_questions(model, [Question([1], [[2]])]))


def test_scoring_is_without_dropout_and_restores_the_mode(model: GPT) -> None:
    question = Question([1, 2], [[3, 4], [5]])
    model.train()
    model.dropout.p = 0.9
    try:
        first, second = (list(score_questions(model, [question])) for _ in range(2))
        assert first == second
        assert model.training
    finally:
        model.dropout.p = 0.0
        model.eval()
