"""What the quickstart's model writes, by sampling: share of sound sentences, names that come back, what is copied.

    python benchmarks/stories.py RUN --data DATA [--prompt TEXT] [--texts 24] [--max-tokens 180]

RUN was pretrained on DATA, prepared from `tuppence data synth stories`. Every setting writes `--texts` texts with the
seeds 0, 1, …. A text is judged by fresh stories of another seed, which the model has not seen; "fresh stories" is what
other fresh stories get, cut to the same length: the best that can be reached.

    sound     share of sentences whose every run of four words, names taken alike, occurs in a fresh story, whose "a"
              and "an" fit, and whose "he" and "she" can mean somebody who was named before
    returns   share of texts whose first name occurs in their last third again
    names     different names in a text
    words     of a text; `ended`: share of texts that the model ended itself
    copied    share of the text that lies in runs of eight tokens of the training text; `longest`: tokens of the longest
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tuppence.core.memory import keep_freed_memory
from tuppence.data.shards import TokenShards
from tuppence.evaluation.copied import copied
from tuppence.model.sampling import Sampling
from tuppence.model.text import generate_text
from tuppence.model.weights import load_model
from tuppence.synthetic import iter_stories
from tuppence.synthetic.english import with_article
from tuppence.synthetic.tables import table
from tuppence.tokenizer import Tokenizer

SETTINGS: list[dict[str, float]] = [
    {"temperature": 0.0},
    {"temperature": 0.3},
    {"temperature": 0.4},
    {"temperature": 0.5},
    {"temperature": 0.6},
    {"temperature": 0.7},
    {"temperature": 0.8},
    {"temperature": 0.8, "top_k": 50},
    {"temperature": 0.5, "top_p": 0.9},
    {"temperature": 0.7, "top_p": 0.9},
    {"temperature": 0.7, "top_p": 0.8},
    {"temperature": 0.7, "top_p": 0.6},
    {"temperature": 1.0, "top_p": 0.5},
    {"temperature": 0.5, "top_k": 10},
    {"temperature": 0.7, "top_k": 5},
]
GIRLS, BOYS = set(table("name_girl")), set(table("name_boy"))
NAMES = GIRLS | BOYS | set(table("name_animal")) | set(table("surname"))
SHE, HE = {"she", "her", "hers", "herself"}, {"he", "him", "his", "himself"}
RUN = 4


@dataclass
class Verdict:
    """What is found about one text."""

    sentences: int
    sound: int
    returns: bool
    names: int
    words: int


class Judge:
    """Knows the runs of four words of fresh stories."""

    def __init__(self, stories: Iterable[str]) -> None:
        self.known: set[int] = set()
        for story in stories:
            for sentence in sentences_of(story):
                self.known.update(map(hash, runs(sentence)))

    def judge(self, text: str) -> Verdict:
        sentences = sentences_of(text)
        sound, before = 0, ""
        for sentence in sentences:
            before += " " + sentence
            fits = all(hash(run) in self.known for run in runs(sentence))
            sound += fits and articles_fit(sentence) and pronouns_fit(sentence, before)
        words = text.split()
        names = [word for word in map(plain, words) if word in NAMES]
        last = [word for word in map(plain, words[2 * len(words) // 3 :]) if word in NAMES]
        return Verdict(len(sentences), sound, bool(names) and names[0] in last, len(set(names)), len(words))


def sentences_of(text: str) -> list[str]:
    """A text's sentences; the last one only where it ends."""
    found = re.findall(r'[^.!?]+[.!?]+"?', text)
    return [" ".join(sentence.split()) for sentence in found if sentence.strip()]


def plain(word: str) -> str:
    return re.sub(r"'s$|[^\w]", "", word)


def runs(sentence: str) -> list[tuple[str, ...]]:
    """A sentence's runs of four words, from its beginning to its end; names and signs of speech taken alike."""
    words = ["NAME" if plain(word) in NAMES else plain(word).lower() for word in sentence.split()]
    words = ["<", *(word for word in words if word), ">"]
    return [tuple(words[start : start + RUN]) for start in range(max(1, len(words) - RUN + 1))]


def articles_fit(sentence: str) -> bool:
    return all(
        with_article(after) == f"{article.lower()} {after}"
        for article, after in re.findall(r"\b([Aa]n?) ([a-z]+)", sentence)
    )


def pronouns_fit(sentence: str, so_far: str) -> bool:
    """Whether somebody of the pronoun's sex was named; animals and elders may be of either."""
    named = {word for word in map(plain, so_far.split()) if word in NAMES}
    if named - GIRLS - BOYS or re.search(r"\b(mother|father|grand\w+|old|aunt|uncle|brother|sister)\b", so_far):
        return True
    words = {plain(word).lower() for word in sentence.split()}
    return (not words & SHE or bool(named & GIRLS)) and (not words & HE or bool(named & BOYS))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prompt", action="append")
    parser.add_argument("--texts", type=int, default=24, help="of each prompt")
    parser.add_argument("--max-tokens", type=int, default=180)
    parser.add_argument("--plots", type=int, help="that the stories were drawn from")
    parser.add_argument("--fresh", type=int, default=40_000, help="stories that the judge reads")
    parser.add_argument("--show", action="store_true", help="one text of each setting, too")
    options = parser.parse_args()
    keep_freed_memory()
    judge = Judge(iter_stories(options.fresh, 991, options.plots))
    shards = TokenShards.open(options.data)
    print(f"{'':34}sound  returns  names  words  ended  copied  longest")
    tokenizer = Tokenizer.load(options.run[0])
    fresh = [
        tokenizer.encode(story)[: options.max_tokens] for story in iter_stories(options.texts * 3, 992, options.plots)
    ]
    row("fresh stories", judge, shards, tokenizer, fresh, [False] * len(fresh))
    for run in options.run:
        model = load_model(run).eval()
        for setting in SETTINGS:
            prompts = [prompt for prompt in options.prompt or ["One morning"] for _ in range(options.texts)]
            one = Sampling(max_tokens=options.max_tokens, **setting)  # type: ignore[arg-type]
            samplings = [replace(one, seed=seed) for seed in range(len(prompts))]
            written = generate_text(model, tokenizer, prompts, samplings)
            texts = [tokenizer.encode(one.prompt + one.text) for one in written]
            label = f"{run.name[:12]} " + ", ".join(f"{key} {value:g}" for key, value in setting.items())
            row(label, judge, shards, tokenizer, texts, [one.finish_reason == "stop" for one in written])
            if options.show:
                print("    " + (written[0].prompt + written[0].text).replace("\n", "\n    "))


def row(
    label: str,
    judge: Judge,
    shards: TokenShards,
    tokenizer: Tokenizer,
    texts: Sequence[Sequence[int]],
    ended: Sequence[bool],
) -> None:
    """One line of the table."""
    found = [judge.judge(tokenizer.decode(list(ids))) for ids in texts]
    copies = [copied(ids, shards) for ids in texts[:12]]
    print(
        f"{label:34}{sum(one.sound for one in found) / max(1, sum(one.sentences for one in found)):5.0%}"
        f"{statistics.mean(one.returns for one in found):9.0%}{statistics.mean(one.names for one in found):7.1f}"
        f"{statistics.mean(one.words for one in found):7.0f}{statistics.mean(ended):7.0%}"
        f"{statistics.mean(one.share for one in copies):8.0%}"
        f"{statistics.median(one.longest for one in copies):9.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
