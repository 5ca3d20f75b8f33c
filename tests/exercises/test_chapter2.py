"""Each usual wrong answer of chapter 2 is caught by the property it breaks."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
import torch

from tests.exercises.grading import Function, assert_caught
from tuppence.exercises import answers


def overlapping(tokens, pair, new):
    merged = []
    for place, token in enumerate(tokens):
        if tuple(tokens[place : place + 2]) == pair:
            merged.append(new)
        elif place == 0 or tuple(tokens[place - 1 : place + 1]) != pair:
            merged.append(token)
    return merged


def right_to_left(tokens, pair, new):
    return answers.merge_tokens(tokens[::-1], pair[::-1], new)[::-1]


def any_order(tokens, pair, new):
    merged, place = [], 0
    while place < len(tokens):
        two = set(tokens[place : place + 2]) == set(pair) and place + 1 < len(tokens)
        merged.append(new if two else tokens[place])
        place += 2 if two else 1
    return merged


def last_pair_missed(tokens, pair, new):
    merged = answers.merge_tokens(tokens[:-1], pair, new)
    return merged + tokens[-1:]


def by_frequency(word, ranks):
    tokens = [word[place : place + 1] for place in range(len(word))]
    while True:
        counts = Counter(left + right for left, right in pairwise(tokens) if left + right in ranks)
        if not counts:
            return tokens
        place = [left + right for left, right in pairwise(tokens)].index(counts.most_common(1)[0][0])
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]


def longest_match(word, ranks):
    tokens = []
    while word:
        length = next(length for length in range(len(word), 0, -1) if word[:length] in ranks)
        tokens.append(word[:length])
        word = word[length:]
    return tokens


def text_for_bytes(word, ranks):
    return [piece.decode("latin-1") for piece in answers.encode_word(word, ranks)]


def numbers_for_bytes(word, ranks):
    return list(word)


def one_round(word, ranks):
    tokens = [word[place : place + 1] for place in range(len(word))]
    for token in sorted(ranks, key=ranks.get):
        for place in range(len(tokens) - 1):
            if tokens[place] + tokens[place + 1] == token:
                tokens[place : place + 2] = [token]
                break
    return tokens


def right_one_of_equals(word, ranks):
    tokens = [word[place : place + 1] for place in range(len(word))]
    while True:
        known = {ranks[a + b]: place for place, (a, b) in enumerate(pairwise(tokens)) if a + b in ranks}
        if not known:
            return tokens
        place = known[min(known)]
        tokens[place : place + 2] = [tokens[place] + tokens[place + 1]]


def two_bytes_at_most(word, ranks):
    return answers.encode_word(word, {token: rank for token, rank in ranks.items() if len(token) < 5})


def no_shift(ids, context):
    inputs, _ = answers.windows(ids, context)
    return inputs, inputs


def stride_loses_one(ids, context):
    starts = range(0, len(ids) - context, context + 1)
    return torch.stack([ids[s : s + context] for s in starts]), torch.stack(
        [ids[s + 1 : s + context + 1] for s in starts]
    )


def last_window_dropped(ids, context):
    inputs, targets = answers.windows(ids, context)
    return (inputs[:-1], targets[:-1]) if len(inputs) > 1 else (inputs, targets)


def stride_of_one(ids, context):
    starts = range(len(ids) - context)
    return torch.stack([ids[s : s + context] for s in starts]), torch.stack(
        [ids[s + 1 : s + context + 1] for s in starts]
    )


def last_row_padded(ids, context):
    inputs, targets = answers.windows(ids, context)
    left = (len(ids) - 1) % context
    if not left:
        return inputs, targets
    row = torch.zeros(2, context, dtype=ids.dtype)
    row[0, :left], row[1, :left] = ids[-left - 1 : -1], ids[-left:]
    return torch.cat([inputs, row[:1]]), torch.cat([targets, row[1:]])


@pytest.mark.parametrize(
    ("key", "wrong", "statement"),
    [
        ("2/merge", any_order, "tokens without the pair stay"),
        ("2/merge", overlapping, "each merge makes the list one token shorter"),
        ("2/merge", right_to_left, "of overlapping pairs the left"),
        ("2/merge", last_pair_missed, "every occurrence is merged"),
        ("encode_word", text_for_bytes, "the pieces, all of them bytes"),
        ("encode_word", numbers_for_bytes, "the pieces, all of them bytes"),
        ("encode_word", by_frequency, "the pair with the lowest rank"),
        ("encode_word", longest_match, "the pair with the lowest rank"),
        ("encode_word", one_round, "of equal pairs the left one"),
        ("encode_word", right_one_of_equals, "of equal pairs the left one"),
        ("encode_word", two_bytes_at_most, "on learned merges"),
        ("windows", no_shift, "the target of a token"),
        ("windows", stride_loses_one, "every token but the first"),
        ("windows", last_window_dropped, "every token but the first"),
        ("windows", stride_of_one, "every token but the first"),
        ("windows", last_row_padded, "tokens that fill no row"),
    ],
)
def test_a_wrong_answer_is_caught_by_the_property_it_breaks(key: str, wrong: Function, statement: str) -> None:
    assert_caught(key, wrong, statement)
