"""`TuppenceLM`: a loaded model as an `LM` of lm-eval (EleutherAI's lm-evaluation-harness).

`tasks.run_task` passes it to `lm_eval.simple_evaluate`. The results equal those of lm-eval's `hf` backend on RUN/model
in the same precision. Continuations of the same context are scored together, so that the context is read once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tuppence.core import console
from tuppence.core.errors import InputError, MissingExtraError
from tuppence.evaluation.scoring.answers import ANSWERS_AT_ONCE
from tuppence.evaluation.scoring.likelihood import Likelihood, Question, score_questions
from tuppence.model.generate import Decoder
from tuppence.model.gpt import GPT
from tuppence.model.loaded import LoadedModel
from tuppence.model.sampling import Sampling
from tuppence.tokenizer.chat_template import CHAT_TEMPLATE, Message, as_text, render
from tuppence.tokenizer.vocabulary import END_OF_TEXT

try:
    from lm_eval.api.model import TemplateLM
    from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
except ImportError as error:
    raise MissingExtraError("lm-eval", "eval", "evaluating with lm-eval") from error

Pair = tuple[list[int], list[int]]


class TuppenceLM(TemplateLM):  # type: ignore[misc]  # lm-eval has no types
    """A loaded language model that answers lm-eval's requests.

    Args:
        loaded: the model, its tokenizer, the device and the precision of likelihoods.
        prompts_at_once: number of prompts in a batch of `generate_until`; `ANSWERS_AT_ONCE` if None.
        max_gen_toks: the longest continuation, in tokens, if a task does not set it.
    """

    def __init__(self, loaded: LoadedModel[GPT], prompts_at_once: int | None = None, max_gen_toks: int = 256) -> None:
        super().__init__()
        self.loaded = loaded
        self.prompts_at_once = prompts_at_once or ANSWERS_AT_ONCE
        self.max_gen_toks = max_gen_toks

    # ---- text and tokens ---------------------------------------------------------------------------------------

    @property
    def eot_token_id(self) -> int:
        return self.loaded.tokenizer.end_of_text

    @property
    def max_length(self) -> int:
        """The model's context, in tokens."""
        return self.loaded.config.context_length

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        # as transformers' tokenizers do: text that spells a special token is encoded as this token
        return self.loaded.tokenizer.encode(string, allow_special=True)

    @property
    def tokenizer_name(self) -> str:
        """Part of the keys of lm-eval's caches."""
        return f"tuppence-{self.loaded.tokenizer.fingerprint}"

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Returns our chat template, the only one that is supported."""
        return CHAT_TEMPLATE if chat_template else ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        messages = [Message(turn["role"], turn["content"]) for turn in chat_history]  # type: ignore[arg-type]
        text = as_text(render(messages, add_generation_prompt=add_generation_prompt))
        # without a generation prompt, lm-eval continues the last message, so it must not end
        return text if add_generation_prompt else text.removesuffix(END_OF_TEXT)

    # ---- likelihoods -------------------------------------------------------------------------------------------

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **options: Any
    ) -> list[tuple[float, bool]]:
        scored = self._score([(context, continuation) for _, context, continuation in requests])
        answers = [(one.log_probability, one.is_greedy) for one in scored]
        for (text, _, _), answer in zip(requests, answers, strict=True):
            self.cache_hook.add_partial("loglikelihood", text, answer)
        return answers

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        pairs: list[Pair] = []
        windows_of_request = []
        for request in requests:
            windows = get_rolling_token_windows(
                self.tok_encode(request.args[0]), self.prefix_token_id, self.max_length, context_len=1
            )
            new = [make_disjoint_window(window) for window in windows]
            windows_of_request.append(len(new))
            pairs += new
        scored = iter(self._score(pairs))
        totals = [sum(next(scored).log_probability for _ in range(count)) for count in windows_of_request]
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals

    def _score(self, pairs: Sequence[Pair]) -> list[Likelihood]:
        """Scores pairs in their order. Pairs with the same context become one question, so that it is read once."""
        continuations_of: dict[tuple[int, ...], list[int]] = {}
        for index, (context, _) in enumerate(pairs):
            continuations_of.setdefault(tuple(context), []).append(index)
        groups = list(continuations_of.values())
        questions = [Question(pairs[group[0]][0], [pairs[index][1] for index in group]) for group in groups]
        found: dict[int, Likelihood] = {}
        with self.loaded.autocast(), console.progress("requests") as bar:
            progress = bar.add_task("scoring", total=len(pairs))
            for number, likelihoods in score_questions(self.loaded.model, questions):
                found.update(zip(groups[number], likelihoods, strict=True))
                bar.advance(progress, len(likelihoods))
        return [found[index] for index in range(len(pairs))]

    # ---- continuations -----------------------------------------------------------------------------------------

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Continues every prompt up to one of its stop strings, the end of text, or `max_gen_toks`."""
        wanted = [_Request.of(self, *request.args) for request in requests]
        order = sorted(range(len(wanted)), key=lambda index: (wanted[index].how, -len(wanted[index].prompt)))
        texts: dict[int, str] = {}
        with console.progress("requests") as bar:
            progress = bar.add_task("continuing", total=len(wanted))
            while order:
                how = wanted[order[0]].how
                batch = [index for index in order[: self.prompts_at_once] if wanted[index].how == how]
                order = order[len(batch) :]
                texts.update(zip(batch, self._continue([wanted[index] for index in batch]), strict=True))
                bar.advance(progress, len(batch))
        for index, request in enumerate(requests):
            self.cache_hook.add_partial("generate_until", request.args, texts[index])
        return [texts[index] for index in range(len(requests))]

    def _continue(self, batch: Sequence[_Request]) -> list[str]:
        first, tokenizer = batch[0], self.loaded.tokenizer
        stops = [stop.encode() for stop in first.stops if stop]
        written = [b""] * len(batch)
        decoder = Decoder(
            self.loaded.model,
            [one.prompt for one in batch],
            # lm-eval seeds Python's random numbers (--seed), so a sampled evaluation can be repeated
            [replace(one.sampling, seed=random.randrange(2**31)) for one in batch],
            stop_ids={self.eot_token_id, *tokenizer.stop_ids},
            vocab_size=tokenizer.vocab_size,
        )
        for index, token in decoder:
            written[index] += tokenizer.decode_bytes([token])
            if any(stop in written[index] for stop in stops):
                decoder.finish(index)
        return [postprocess_generated_text(text.decode("utf-8", "replace"), first.stops, None) for text in written]


class _Request:
    """A request of `generate_until`: its prompt and its sampling options.

    Raises:
        InputError: an option is not implemented.
    """

    def __init__(self, prompt: list[int], stops: list[str], max_tokens: int, options: dict[str, Any]) -> None:
        self.prompt, self.stops = prompt, stops
        sampled = bool(options.pop("do_sample", False))
        chosen = {name: options.pop(name, None) for name in ("temperature", "top_k", "top_p")}
        if options:
            raise InputError(
                f"generation option {sorted(options)[0]!r} is not implemented",
                "supported: until, max_gen_toks, do_sample, temperature, top_k and top_p",
            )
        if not sampled:
            chosen = {"temperature": 0.0}
        elif chosen["temperature"] is None:
            chosen["temperature"] = 1.0
        self.sampling = Sampling(**chosen, max_tokens=max_tokens)

    @classmethod
    def of(cls, lm: TuppenceLM, context: str, options: dict[str, Any]) -> _Request:
        """Reads a request as lm-eval's `hf` backend does: the prompt is cut at its beginning to fit the answer."""
        normal = dict(normalize_gen_kwargs(options, lm.max_gen_toks))
        stops = handle_stop_sequences(normal.pop("until"), eos=lm.loaded.tokenizer.decode([lm.eot_token_id]))
        max_tokens = int(normal.pop("max_gen_toks"))
        prompt = lm.tok_encode(context) or [lm.eot_token_id]
        room = lm.max_length - max_tokens
        return cls(prompt[-room:] if room > 0 else prompt, stops, max_tokens, normal)

    @property
    def how(self) -> str:
        """A key that is equal for requests that can share a batch."""
        return repr((self.stops, self.sampling))
