from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.tasks.ppo.conftest import LIKED, SIZES, CountingReward, stir

from tuppence.core.errors import NonFiniteError
from tuppence.model.gpt import GPT
from tuppence.model.heads import SequenceScorer
from tuppence.tasks.ppo.answers import Answer, GenerationConfig, lay_out, score_answers, seeds_for, write_answers
from tuppence.tasks.ppo.policy import PolicyWithValue
from tuppence.tokenizer import Tokenizer

Policy = Callable[..., PolicyWithValue]
PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13]]


def test_an_answer_depends_on_weights_prompt_and_seed_alone(policy: Policy, tokenizer: Tokenizer) -> None:
    model = policy()
    stir(model)
    generation = GenerationConfig(12, 1.0, tokenizer)
    torch.manual_seed(1)
    together = write_answers(model.gpt, PROMPTS, [1, 2, 3], generation)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    alone = [
        write_answers(model.gpt, [prompt], [seed], generation)[0]
        for prompt, seed in zip(PROMPTS, (1, 2, 3), strict=True)
    ]
    assert together == alone
    assert write_answers(model.gpt, PROMPTS, [4, 5, 6], generation) != together
    torch.set_rng_state(state)


def test_a_finished_answer_ends_with_the_end_of_text_and_is_never_longer_than_allowed(
    policy: Policy, tokenizer: Tokenizer
) -> None:
    gpt = policy(full=True).gpt
    end = tokenizer.end_of_text
    with torch.no_grad():
        gpt.token_embedding.weight[end] += 0.6 * gpt.token_embedding.weight.mean(0).sign() * gpt.final_norm.bias.sign()
    answers = write_answers(gpt, PROMPTS * 40, list(range(120)), GenerationConfig(6, 1.0, tokenizer))
    assert {answer.finished for answer in answers} == {True, False}
    for answer in answers:
        assert 1 <= len(answer.ids) <= 6
        assert (answer.ids[-1] == end) == answer.finished
        assert end not in answer.words
        assert answer.finished or len(answer.ids) == 6
        assert max(answer.ids) < tokenizer.vocab_size


def test_targets_are_the_answers_tokens_where_they_are_predicted() -> None:
    tokens, targets = lay_out([Answer([5, 6, 7], [8, 9], True), Answer([5], [6], False)])
    assert tokens.tolist() == [[5, 6, 7, 8], [5, 0, 0, 0]]
    assert targets.tolist() == [[-100, -100, 8, 9], [6, -100, -100, -100]]


def test_seeds_differ_between_steps_and_prompts() -> None:
    seeds = [seed for step in range(20) for seed in seeds_for(3, step, 50)]
    assert len(set(seeds)) == 1000
    assert seeds_for(4, 0, 50) != seeds_for(3, 0, 50)


def test_the_score_is_read_at_the_last_token_before_the_end_of_text() -> None:
    torch.manual_seed(0)
    scorer = SequenceScorer(GPT(SIZES), 1).eval()
    answers = [Answer([5, 6], [7, 8, 260], True), Answer([5, 6, 7, 8, 9, 10], [11], False), Answer([4], [260], True)]
    found = score_answers(scorer, answers, batch_size=2)
    texts = [[5, 6, 7, 8], [5, 6, 7, 8, 9, 10, 11], [4]]
    alone = [float(scorer(torch.tensor([text]), torch.tensor([len(text)])).detach()) for text in texts]
    assert found.tolist() == pytest.approx(alone, abs=1e-6)


def test_a_text_longer_than_the_reward_model_s_context_loses_its_beginning() -> None:
    liked = sorted(LIKED)[:3]
    answer = Answer([5] * 40, liked, False)
    assert score_answers(CountingReward(), [answer], batch_size=1).tolist() == [0.5]


def test_a_score_that_is_nan_or_infinite_is_an_error_with_its_value() -> None:
    scorer = SequenceScorer(GPT(SIZES), 1).eval()
    with torch.no_grad():
        scorer.score.weight.fill_(torch.nan)
    with pytest.raises(NonFiniteError, match="gives nan"):
        score_answers(scorer, [Answer([5], [6], False)], batch_size=1)
