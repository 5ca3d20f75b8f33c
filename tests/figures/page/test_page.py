"""The page in Chromium, opened from the disk: what a person taps, types and sees."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.browser import expect, opened, serious_findings
from tests.figures.page.conftest import PROMPT, toy_model, toy_tokenizer, write_run
from tests.tokenizer.test_foreign_template import TEMPLATES

import tuppence as tp
from tuppence.core.errors import InputError
from tuppence.figures.page.page import write_page
from tuppence.model.gpt import GPT
from tuppence.model.weights import load_model
from tuppence.tokenizer import Tokenizer

CHIPS, NEXT, HEADS = ".live-strip [role=option]", ".live-next button", ".live-heads [role=radio]"


@pytest.fixture(scope="module")
def toy_page(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(toy_run, tmp_path_factory.mktemp("page") / "toy.html")


def text_of(page: Any) -> list[str]:
    """The tokens in the strip."""
    return [str(text) for text in page.locator(CHIPS).all_inner_texts()]


def always(token: int, **sizes: Any) -> GPT:
    """A model that always goes on with one token."""
    model = toy_model(**sizes)
    with torch.no_grad():
        model.final_norm.weight.zero_()
        model.final_norm.bias.fill_(1.0)
        model.token_embedding.weight.fill_(-0.1)
        model.token_embedding.weight[token] = 5.0
    return model


def test_the_tokens_and_their_likely_successors_are_torchs(
    browser: Any, toy_page: Path, toy_run: Path, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode(PROMPT)
    with torch.no_grad():
        chances = torch.softmax(load_model(toy_run)(torch.tensor([ids]))[0, -1, : tokenizer.vocab_size], dim=-1)
    with opened(browser, toy_page) as page:
        page.locator("#live-temperature").fill("1")
        assert page.locator("#live-prompt").input_value() == PROMPT
        assert text_of(page) == [tokenizer.decode([one]) for one in ids]
        tokens = page.locator(NEXT).evaluate_all("buttons => buttons.map((one) => one.token)")
        shown = page.locator(NEXT).evaluate_all("buttons => buttons.map((one) => one.lastChild.textContent)")
    assert tokens[0] == chances.argmax().item()
    for token, text in zip(tokens, shown, strict=True):
        assert abs(float(text.strip("<%")) / 100 - chances[token].item()) < 0.05  # int8


def test_tapping_a_token_shows_what_each_head_looked_at(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        page.locator(CHIPS).nth(4).click()
        assert page.locator(CHIPS).nth(4).get_attribute("aria-selected") == "true"
        page.get_by_role("radio", name="Layer 2, head 3").click()
        weights = page.locator(CHIPS).evaluate_all(
            "chips => chips.map((one) => Number(one.style.getPropertyValue('--weight')) ** 2)"
        )
        assert sum(weights[:5]) == pytest.approx(1, abs=1e-4)
        assert sum(weights[5:]) == 0  # nothing of what comes later
        looked = page.locator(".live-looked").inner_text()
        assert looked.startswith("Layer 2, head 3 at ")
        strongest = max(range(5), key=weights.__getitem__)
        word = text_of(page)[strongest]
        assert re.search(
            rf"looked at “{re.escape(word.replace(' ', chr(160)))}” {100 * weights[strongest]:.0f}%", looked
        )


def test_tapping_an_alternative_goes_on_from_there(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        before = text_of(page)
        page.locator(CHIPS).nth(4).click()
        chosen = page.locator(NEXT).nth(1).evaluate("button => button.token")
        page.locator(NEXT).nth(1).click()
        assert text_of(page)[:5] == before[:5]
        assert page.locator(CHIPS).count() == 6
        assert page.locator(CHIPS).nth(5).get_attribute("data-id") == str(chosen)
        assert page.locator(CHIPS).nth(5).get_attribute("aria-selected") == "true"
        page.locator(NEXT).nth(0).click()
        assert page.locator(CHIPS).count() == 7
        page.get_by_role("button", name="Start again").click()
        expect(page.locator(CHIPS)).to_have_count(len(before))
        assert text_of(page) == before


def test_the_token_in_the_text_is_marked_among_the_alternatives(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        page.locator(CHIPS).nth(2).click()
        marked = page.locator(f"{NEXT}[aria-current=true]")
        assert marked.count() == 1
        assert marked.evaluate("button => String(button.token)") == page.locator(CHIPS).nth(3).get_attribute("data-id")


def test_the_keyboard_is_enough(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        last = page.locator(CHIPS).count() - 1
        page.locator("#live-prompt").focus()
        for _ in range(3 + 1):  # write, start again, temperature, the strip
            page.keyboard.press("Tab")
        focused = "document.activeElement.getAttribute('aria-label')"
        assert page.evaluate(focused) == page.locator(CHIPS).nth(last).get_attribute("aria-label")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        assert page.locator(CHIPS).nth(1).get_attribute("aria-selected") == "true"
        assert page.evaluate(focused) == page.locator(CHIPS).nth(1).get_attribute("aria-label")
        page.keyboard.press("ArrowDown")
        assert page.locator(f"{HEADS}[aria-checked=true]").get_attribute("aria-label") == "Layer 1, head 1"
        page.keyboard.press("Tab")  # the heads: a grid
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        assert page.evaluate(focused) == "Layer 2, head 2"
        page.keyboard.press("Tab")  # the first alternative
        page.keyboard.press("Enter")
        assert page.locator(CHIPS).count() == 3


def test_writing_stops_at_the_end_of_the_text(browser: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", always(tokenizer.end_of_text), tokenizer)
    with opened(browser, write_page(run, tmp_path / "page.html")) as page:
        before = page.locator(CHIPS).count()
        page.get_by_role("button", name="Write").click()
        expect(page.locator(".live-status")).to_have_text("The model ended the text.")
        assert text_of(page)[before:] == ["end of text"]
        assert page.get_by_role("button", name="Write").is_visible()


def test_a_full_context_and_a_long_prompt_are_told(browser: Any, tokenizer: Tokenizer, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", always(40, context_length=32), tokenizer)
    with opened(browser, write_page(run, tmp_path / "page.html")) as page:
        page.locator("#live-prompt").fill("字幕 naïve " * 20)
        expect(page.locator(".live-status")).to_contain_text("newest 24")
        assert page.locator(CHIPS).count() == 24
        page.get_by_role("button", name="Write").click()
        expect(page.locator(".live-status")).to_contain_text("full: 32 tokens")
        assert page.locator(CHIPS).count() == 32


def test_writing_can_be_stopped_and_does_not_freeze_the_page(
    browser: Any, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run", always(40, context_length=512), tokenizer)
    with opened(browser, write_page(run, tmp_path / "page.html")) as page:
        page.get_by_role("button", name="Write").click()
        page.locator(CHIPS).nth(12).wait_for()
        page.get_by_role("button", name="Stop").click()  # answered while it writes
        page.get_by_role("button", name="Write").wait_for()
        stopped = page.locator(CHIPS).count()
        page.wait_for_timeout(150)
        assert page.locator(CHIPS).count() == stopped < 70


def test_a_tap_while_the_model_reads_finds_only_what_was_read(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        expected = text_of(page)[0]
        page.evaluate(
            """([chips, heads, next]) => {
                const prompt = document.getElementById("live-prompt");
                prompt.value = "B" + prompt.value;
                prompt.dispatchEvent(new Event("input"));  // reads one token, and goes on after this task
                document.querySelectorAll(heads)[3].click();
                [...document.querySelectorAll(chips)].at(-1).click();
                document.querySelectorAll(next)[2].click();
            }""",
            [CHIPS, HEADS, NEXT],
        )
        assert page.locator(CHIPS).count() == 2
        assert text_of(page)[0] == "B" != expected


def test_a_prompt_without_tokens_begins_a_text_as_generate_does(browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page) as page:
        page.locator("#live-prompt").fill("")
        expect(page.locator(CHIPS)).to_have_count(1)
        assert text_of(page) == ["end of text"]


def test_two_models_read_the_same_prompt_each_in_its_own_way(browser: Any, toy_run: Path, tmp_path: Path) -> None:
    chat = toy_tokenizer().with_chat_template()
    aligned = write_run(tmp_path / "aligned", toy_model(seed=5, context_length=96), chat, "Name a café.\n→ ")
    with opened(browser, write_page(aligned, tmp_path / "both", beside=toy_run), dark=True) as page:
        assert page.title() == "toy beside aligned · tuppence"
        panels = page.locator(".live-panel")
        strips = [panels.nth(index).locator(".live-strip").inner_text() for index in (0, 1)]
        assert strips[0] == "Name a café."
        assert strips[1].replace("↵", "") == "### Instruction:\nName a café.\n\n### Response:\n"
        page.get_by_label("as an instruction").uncheck()
        expect(panels.nth(1).locator(".live-strip")).to_have_text("Name a café.")


def test_a_model_with_a_template_of_its_own_reads_it_and_another_says_that_it_completes(
    browser: Any, tmp_path: Path
) -> None:
    vocabulary = toy_tokenizer(special_tokens=("<|endoftext|>", "<|im_start|>", "<|im_end|>")).vocabulary
    chatml = Tokenizer(vocabulary, TEMPLATES["chatml"][0], "<|im_end|>")
    unread = Tokenizer(vocabulary, "{% macro m() %}{% endmacro %}{{ m() }}", "<|endoftext|>")
    sizes = {"vocab_size": vocabulary.size, "context_length": 96}
    own = write_run(tmp_path / "own", toy_model(**sizes), chatml, "Name a café.")
    plain = write_run(tmp_path / "plain", toy_model(**sizes), unread, "Name a café.")
    with opened(browser, write_page(own, tmp_path / "page.html", beside=plain)) as page:
        panels = page.locator(".live-panel")
        texts = [panels.nth(index).locator(".live-strip").inner_text().replace("↵", "") for index in (0, 1)]
        assert texts[0] == "Name a café."
        assert texts[1] == "<|im_start|>user\nName a café.end of text\n<|im_start|>assistant\n"
        assert "plain completion" in panels.nth(0).locator(".live-note").inner_text()
        assert panels.nth(1).locator(".live-note").is_hidden()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_everybody_can_use_it(width: int, dark: bool, browser: Any, toy_page: Path) -> None:
    with opened(browser, toy_page, width=width, dark=dark) as page:
        page.locator(CHIPS).nth(1).click()  # the darkest shading: few tokens share the attention
        assert serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_foreign_texts_are_text(browser: Any, tmp_path: Path, nasty: str) -> None:
    evil = "</script><script>document.title='hacked'</script><!--"
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    run = write_run(
        folder, toy_model(vocab_size=420), toy_tokenizer(special_tokens=("<|endoftext|>", evil)), nasty + evil
    )
    path = write_page(run, tmp_path / "page.html")
    assert path.read_text().count("<script") == 2
    with opened(browser, path) as page:
        assert page.locator("#live-prompt").input_value() == nasty + evil
        assert page.title() == f"{folder.name} · tuppence"
        assert page.locator("img").count() == 0


def test_no_other_script_can_run_in_the_page(browser: Any, toy_page: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(toy_page.read_text().replace("</main>", "<script>document.title = 'other'</script></main>"))
    context = browser.new_context()
    page = context.new_page()
    page.goto(changed.as_uri())
    page.locator(CHIPS).first.wait_for()
    assert page.title() == "toy · tuppence"
    context.close()


@pytest.mark.parametrize(("out", "expected"), [("a.html", "a.html"), ("a", "a/index.html"), ("b.d/", "b.d/index.html")])
def test_out_is_a_page_or_a_folder(out: str, expected: str, toy_run: Path, tmp_path: Path) -> None:
    assert write_page(toy_run, f"{tmp_path}/{out}") == tmp_path / expected
    assert (tmp_path / expected).read_text().startswith("<!doctype html>")


def test_the_page_asks_no_other_host_for_anything(toy_page: Path) -> None:
    page = re.sub(r'(?s)<script type="application/json".*?</script>', "", toy_page.read_text())
    assert "://" not in page
    assert not re.search(r"<(link|iframe|img|object|embed)\b|@import|url\(|fetch\(|XMLHttpRequest|import\(", page)


def test_ids_that_the_tokenizer_lacks_are_left_out(toy_page: Path, tokenizer: Tokenizer) -> None:
    content = re.search(r'(?s)id="live-models">(.*?)</script>', toy_page.read_text())
    assert content is not None
    packed = json.loads(content[1])["models"][0]
    assert packed["model"]["config"]["vocab_size"] == tokenizer.vocab_size < 409


def test_a_model_that_is_too_large_is_refused_with_its_size(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "large", toy_model(), tokenizer)
    monkeypatch.setattr("tuppence.figures.page.page.LARGEST_PARAMETERS", 20_000)
    with pytest.raises(InputError, match=r"large has 40[.\dk,]* parameters: its page would have 0 MB") as refused:
        write_page(run, tmp_path / "page.html")
    assert "up to 20" in refused.value.hint
    assert not (tmp_path / "page.html").exists()


def test_a_classifier_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    from tuppence.model.heads import SequenceScorer
    from tuppence.model.saving import save_scorer

    save_scorer(SequenceScorer(toy_model(), 2), tmp_path / "spam", labels=["ham", "spam"], tokenizer=tokenizer)
    with pytest.raises(InputError, match="is a classifier, not a language model"):
        write_page(tmp_path / "spam", tmp_path / "page.html")


def test_a_notebook_exports_a_run_or_its_folder(toy_run: Path, tmp_path: Path) -> None:
    page = tp.open(toy_run).export("page", tmp_path / "one.html", beside=tp.open(toy_run))
    assert page == tmp_path / "one.html"
    assert "toy beside toy" in page.read_text()
    assert tp.export(toy_run, "page", tmp_path / "two") == tmp_path / "two" / "index.html"


def test_an_earlier_page_is_replaced_and_another_file_is_not(toy_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    write_page(toy_run, out)
    before = out.read_bytes()
    assert write_page(toy_run, out).read_bytes() == before
    out.write_text("<p>mine</p>")
    with pytest.raises(InputError, match="tuppence did not write it"):
        write_page(toy_run, out)
    assert out.read_text() == "<p>mine</p>"
