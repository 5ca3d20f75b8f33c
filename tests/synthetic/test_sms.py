"""Made-up messages: nearly all distinct, with fictional numbers and links, and not solved by counting words."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from tuppence.core.errors import InputError
from tuppence.synthetic.sms import LabelledSms, iter_sms

_TRAIN = 4_000


@pytest.fixture(scope="module")
def messages() -> list[LabelledSms]:
    return list(iter_sms(5_000, seed=0))


@pytest.fixture(scope="module")
def is_spam(messages: list[LabelledSms]) -> list[bool]:
    return [message.label == "spam" for message in messages]


def test_a_message_depends_on_seed_and_index_only(messages: list[LabelledSms]) -> None:
    assert list(iter_sms(50, seed=0)) == messages[:50]
    assert list(iter_sms(50, seed=1)) != messages[:50]


def test_about_three_messages_in_a_hundred_repeat_another_one(messages: list[LabelledSms]) -> None:
    assert len({message.text for message in messages}) == 4_838


def test_about_six_messages_in_a_hundred_are_in_another_seed_too(messages: list[LabelledSms]) -> None:
    # what the guide says to leave out of a test set that is made with another seed
    seen = {message.text for message in messages}
    assert sum(message.text in seen for message in iter_sms(5_000, seed=1)) == 287


def test_the_share_of_spam_is_that_of_the_sms_spam_collection_or_as_asked(is_spam: list[bool]) -> None:
    assert 0.12 < sum(is_spam) / len(is_spam) < 0.15
    half = [message.label for message in iter_sms(1_000, seed=3, spam_share=0.5)]
    assert 450 < Counter(half)["spam"] < 550


def test_links_and_phone_numbers_are_from_ranges_reserved_for_fiction(messages: list[LabelledSms]) -> None:
    for message in messages:
        assert not re.search(r"\bwww\.|https?:|\.(?:com|net|org|co|info|uk)\b", message.text), message.text
        for prefix in re.findall(r"\b(0\d{3,4} \d{3})\d", message.text):
            assert prefix in ("07700 900", "01632 960", "0909 879"), message.text


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bag_of_words_classifier_finds_only_a_part_of_the_spam(seed: int) -> None:
    made = list(iter_sms(5_000, seed))
    texts, labels = [message.text for message in made], [message.label == "spam" for message in made]
    vectorizer = TfidfVectorizer()
    train, test = vectorizer.fit_transform(texts[:_TRAIN]), vectorizer.transform(texts[_TRAIN:])
    scores = []
    for strength, weights in ((1, None), (1, "balanced"), (10, "balanced"), (100, None)):
        model = LogisticRegression(C=strength, class_weight=weights, max_iter=1_000).fit(train, labels[:_TRAIN])
        scores.append(f1_score(labels[_TRAIN:], model.predict(test)))
    assert 0.80 < max(scores) < 0.93


def test_no_single_word_marks_spam(messages: list[LabelledSms], is_spam: list[bool]) -> None:
    for pattern in (r"(?u)\b\w+\b", r"\S+"):
        seen = CountVectorizer(token_pattern=pattern, binary=True).fit_transform([each.text for each in messages])
        in_spam = seen.T @ is_spam
        f1 = 2 * in_spam / (seen.sum(axis=0).A1 + sum(is_spam))
        assert f1.max() < 0.5


def test_length_does_not_mark_spam(messages: list[LabelledSms], is_spam: list[bool]) -> None:
    best = 0.0
    for shortest in range(0, 300, 10):
        for longest in range(shortest + 10, 310, 10):
            guess = [shortest <= len(message.text) < longest for message in messages]
            best = max(best, f1_score(is_spam, guess))
    assert best < 0.5


def test_a_negative_count_and_an_impossible_share_are_refused() -> None:
    with pytest.raises(InputError, match="cannot make -1"):
        iter_sms(-1, seed=0)
    with pytest.raises(InputError, match="not a share"):
        iter_sms(1, seed=0, spam_share=13)
