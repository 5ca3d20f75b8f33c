"""The embedded corpus: that it is the same for everybody, varied, and correct English as far as rules can tell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tuppence.core.errors import InputError
from tuppence.synthetic import iter_stories, story
from tuppence.synthetic.plots import all_plots
from tuppence.synthetic.stories import Story, tell
from tuppence.synthetic.tables import table

COUNT = 5_000


@pytest.fixture(scope="module")
def texts(told: list[Story]) -> list[str]:
    return [each.text for each in told]


def offenders(pattern: str, texts: list[str]) -> list[str]:
    """What a pattern finds, with a little context, so that a failure names the sentence."""
    compiled = re.compile(pattern)
    return [text[max(match.start() - 40, 0) : match.end() + 20] for text in texts for match in compiled.finditer(text)]


def test_the_ith_story_is_the_same_alone_and_in_a_row(texts: list[str]) -> None:
    assert list(iter_stories(50, seed=0)) == texts[:50]
    assert story(0, 37) == texts[37]


def test_another_process_with_another_hash_seed_tells_the_same_stories(texts: list[str]) -> None:
    program = "from tuppence.synthetic import iter_stories; print('\\n'.join(iter_stories(60, seed=0)), end='')"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] == "\n".join(texts[:60])


def test_a_process_that_imported_one_file_of_plots_first_tells_the_same_stories(texts: list[str]) -> None:
    program = (
        "import tuppence.synthetic.plots.wonders, tuppence.synthetic.plots.fears\n"
        "from tuppence.synthetic import iter_stories\n"
        "print('\\n'.join(iter_stories(60, seed=0)), end='')"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == "\n".join(texts[:60])


def test_every_story_of_one_seed_is_different(texts: list[str]) -> None:
    assert len(set(texts)) == COUNT


def test_two_seeds_have_no_story_in_common(texts: list[str]) -> None:
    assert set(texts).isdisjoint(iter_stories(1_000, seed=1))


def test_every_plot_is_told_and_takes_every_turn_it_declares(told: list[Story]) -> None:
    taken: dict[str, set[str]] = {}
    for each in told:
        taken.setdefault(each.plot, set()).update(each.turns)
    assert taken == {plot.name: set(plot.turns) for plot in all_plots()}
    assert len(taken) >= 40


def test_no_plot_crowds_out_the_others(told: list[Story]) -> None:
    most, least = (
        Counter(each.plot for each in told).most_common(1)[0],
        Counter(each.plot for each in told).most_common()[-1],
    )
    assert most[1] < 3 * least[1]


def test_stories_are_between_80_and_420_words_long_and_most_between_140_and_320(texts: list[str]) -> None:
    lengths = sorted(len(text.split()) for text in texts)
    assert lengths[0] >= 80
    assert lengths[-1] <= 420
    assert lengths[COUNT // 20] >= 140
    assert lengths[-COUNT // 20] <= 320


def test_no_word_is_longer_than_twenty_letters(texts: list[str]) -> None:
    assert max(len(word) for text in texts for word in re.findall(r"[A-Za-z]+", text)) <= 20


def test_at_least_3200_different_words_are_used(texts: list[str]) -> None:
    assert len({word.lower() for text in texts for word in re.findall(r"[A-Za-z']+", text)}) >= 3_200


def test_sentences_repeat_less_than_in_a_corpus_of_fixed_templates(texts: list[str]) -> None:
    sentences = Counter(
        sentence for text in texts for sentence in re.split(r'(?<=[.!?]) |(?<=[.!?]") |\n\n', text) if sentence
    )
    often = sum(count for count in sentences.values() if count > COUNT // 100)
    assert often / sentences.total() < 0.10  # a sentence that one story in a hundred has


def test_no_hole_bracket_or_caret_is_left_and_all_is_ascii(texts: list[str]) -> None:
    assert offenders(r"[{}\[\]<>|^~_]", texts) == []
    assert all(text.isascii() for text in texts)


def test_spaces_and_punctuation_are_in_their_places(texts: list[str]) -> None:
    assert offenders(r"  | \n|\n | [.,;:!?](?!\.)|[,;:][.,;:!?]|\.\.|\?\.|!\.|[a-z][.,;:!?][A-Za-z]", texts) == []
    assert offenders(r"\n{3}|(?<!\n)\n(?!\n)", texts) == []


def test_every_paragraph_begins_with_a_capital_and_ends_with_a_full_stop(texts: list[str]) -> None:
    paragraphs = [paragraph for text in texts for paragraph in text.split("\n\n")]
    assert [each for each in paragraphs if not re.match(r"\"?[A-Z]", each)] == []
    assert [each for each in paragraphs if not re.search(r"[.!?]\"?\Z", each)] == []


def test_every_sentence_begins_with_a_capital(texts: list[str]) -> None:
    assert offenders(r"[.!?] \"?[a-z]|\.\" \"?[a-z]", texts) == []


def test_capitals_inside_a_sentence_belong_to_names(texts: list[str]) -> None:
    assert offenders(r"(?<=[a-z,] )(?:The|A|An|And|But|He|She|They|His|Her|Then|So|Of|In) (?!\w*\")", texts) == []


def test_quotation_marks_come_in_pairs_within_a_paragraph(texts: list[str]) -> None:
    assert [each for text in texts for each in text.split("\n\n") if each.count('"') % 2] == []


def test_the_article_fits_the_sound_that_follows(texts: list[str]) -> None:
    an_hour = r"(?:hour|honest|honour|heir)"
    a_use = r"(?:one|once|use|uni|eu|ukulele)"
    assert offenders(rf"\b[Aa] (?!{a_use})[aeiouAEIOU]|\b[Aa] {an_hour}", texts) == []
    assert offenders(rf"\b[Aa]n (?!{an_hour})[^aeiouAEIOU]|\b[Aa]n {a_use}", texts) == []


def test_no_word_stands_twice_in_a_row(texts: list[str]) -> None:
    assert offenders(r"\b([A-Za-z]+) \1\b", texts) == []


def test_articles_are_never_followed_by_another_determiner(texts: list[str]) -> None:
    assert offenders(r"\b(?:a|an|the|his|my) (?:a|an|the|his|her|my|your|their)\b", texts) == []


def test_no_preposition_is_followed_by_a_subject_pronoun(texts: list[str]) -> None:
    found = offenders(r"\b(?:at|to|with|from|of|let|told|helped|followed|pulled|gave|gives) (?:he|she)\b", texts)
    assert found == []


def test_verbs_of_speech_are_not_inverted_before_a_pronoun(texts: list[str]) -> None:
    assert offenders(r"\" (?:said|asked|cried|replied|answered|whispered|thought) (?:he|she)\b", texts) == []


def test_the_hero_is_named_before_any_pronoun(texts: list[str]) -> None:
    names = {name for kind in ("girl", "boy", "animal") for name in table(f"name_{kind}")}
    for text in texts:
        pronoun = re.search(r"\b(?:he|she|him|He|She|Him)\b", text)
        named = [match.start() for match in re.finditer(r"[A-Z]\w+", text) if match.group() in names]
        assert named, text
        assert pronoun is None or named[0] < pronoun.start(), text[:200]


def test_no_sentence_of_five_words_or_more_comes_twice_in_a_story(texts: list[str]) -> None:
    for text in texts:
        sentences = Counter(re.split(r'(?<=[.!?]) |(?<=[.!?]") |\n\n', text))
        assert [each for each, count in sentences.items() if count > 1 and len(each.split()) >= 5] == [], text


def test_nobody_meets_a_butterfly_in_the_snow(texts: list[str]) -> None:
    snowy = [text for text in texts if re.search(r"[Ww]inter had come|It was (?:a )?winter", text)]
    assert len(snowy) > 100
    assert offenders(r"butterfl|ladybird|bees grumbled|strawberr|barefoot", snowy) == []


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_a_story_that_does_not_exist_is_refused(seed: int, index: int) -> None:
    with pytest.raises(InputError):
        story(seed, index)


def test_a_negative_count_is_refused_before_the_first_story() -> None:
    with pytest.raises(InputError, match="-3 stories"):
        iter_stories(-3, seed=0)


def test_few_plots_are_spread_over_all_of_them_and_no_other_is_told() -> None:
    every = [plot.name for plot in all_plots()]
    told = {tell(3, index, plots=4).plot for index in range(200)}
    assert len(told) == 4
    places = sorted(every.index(name) for name in told)
    assert places == [number * len(every) // 4 for number in range(4)]
    assert tell(3, 5, plots=len(every)) == tell(3, 5)


@pytest.mark.parametrize("plots", [0, 1_000])
def test_a_number_of_plots_that_there_is_not_is_refused_before_anything_is_made(plots: int) -> None:
    with pytest.raises(InputError, match=f"there are no {plots} plots"):
        iter_stories(3, 0, plots)
