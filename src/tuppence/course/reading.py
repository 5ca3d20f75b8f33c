"""What a model says: the probabilities of the next token, a text, an answer, its loss on texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from tuppence.core.table import Table
from tuppence.evaluation.scoring.perplexity import Perplexity
from tuppence.evaluation.scoring.perplexity import perplexity as score
from tuppence.evaluation.scoring.streams import bytes_of_tokens
from tuppence.model.chat import ChatSession
from tuppence.model.gpt import GPT
from tuppence.model.modes import evaluation_mode
from tuppence.model.sampling import Sampling
from tuppence.model.text import generate_text
from tuppence.tokenizer import Tokenizer


@torch.no_grad()
def next_tokens(model: GPT, tokenizer: Tokenizer, text: str, k: int = 8) -> Table:
    """Returns the `k` most likely next tokens after a text: columns token, id, probability.

    Args:
        text: its last tokens are read, as many as the context holds.
    """
    ids = (tokenizer.encode(text) or tokenizer.start_ids)[-model.config.context_length :]
    tokens_1T = torch.tensor([ids], device=model.token_embedding.weight.device)
    with evaluation_mode(model):
        probabilities_V = model(tokens_1T)[0, -1, : tokenizer.vocab_size].float().softmax(dim=-1)
    best = probabilities_V.topk(min(k, len(probabilities_V)))
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return Table(
        ["token", "id", "probability"], [[repr(tokenizer.decode([token])), token, share] for token, share in rows]
    )


def write(
    model: GPT,
    tokenizer: Tokenizer,
    prompt: str = "",
    max_tokens: int = 60,
    temperature: float = 0.8,
    seed: int | None = 0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: Sequence[str] = (),
) -> str:
    """Returns a prompt with its continuation; the arguments are those of `Sampling`.

    Raises:
        InputError: a sampling parameter is out of range.
    """
    sampling = Sampling(temperature, top_k, top_p, max_tokens, seed, tuple(stop))
    (completion,) = generate_text(model, tokenizer, [prompt], sampling)
    return prompt + completion.text


def answer(
    model: GPT, tokenizer: Tokenizer, request: str, max_tokens: int = 60, temperature: float = 0.0, seed: int = 0
) -> str:
    """Returns the answer to a request, in the tokenizer's chat template; a base model continues it as a text."""
    pieces: list[str] = []
    chat = ChatSession(model, tokenizer, Sampling(temperature, max_tokens=max_tokens, seed=seed))
    chat.reply(request, pieces.append)
    return "".join(pieces).strip()


def perplexity(
    model: GPT, tokenizer: Tokenizer, texts: str | Sequence[str], *, context: int | None = None
) -> Perplexity:
    """Returns the loss of a model on texts: `.loss` in nats per token, `.bits_per_byte`, `.perplexity`.

    Each text begins after the end-of-text token. Every token is scored once, in windows that overlap by half.

    Args:
        context: the longest window in tokens; the model's context by default.
    """

    def pieces() -> Iterator[np.ndarray[tuple[int], np.dtype[np.int64]]]:
        for text in [texts] if isinstance(texts, str) else texts:
            yield np.array([*tokenizer.start_ids, *tokenizer.encode(text)], dtype=np.int64)

    return score(model, pieces(), bytes_of_tokens(tokenizer), context_length=context)
