"""The templates of pages: everything is escaped, and what is empty leaves nothing behind."""

from __future__ import annotations

import re
from typing import Any

import jinja2
import pytest
from markupsafe import Markup

from tuppence.figures import html
from tuppence.figures.style import DARK_PALETTE, PALETTE


def part(source: str, **values: Any) -> str:
    """What a piece of a template makes with the macros at hand."""
    return html._environment().from_string('{% import "macros.html" as ui %}' + source).render(values).strip()


@pytest.mark.parametrize(
    "source",
    [
        "{% call ui.section(x) %}<p>{{ x }}</p>{% endcall %}",
        "{{ ui.tiles([(x, x)]) }}",
        "{% call ui.card(x) %}{{ x }}{% endcall %}",
        "{{ ui.pair([x]) }}",
        "{{ ui.responsive({'wide': x, 'narrow': x}) }}",
        "{{ ui.facts({x: x}) }}",
        "{{ ui.table([x], [[x]]) }}",
        "{{ ui.legend([('blue', x, x, x)]) }}",
        "{% call ui.details(x) %}{{ x }}{% endcall %}",
        "{{ ui.sample(x, x) }}",
        "{{ ui.note(x) }}",
        "{% call ui.card() %}{{ [x, x] | join(' · ') }}{% endcall %}",
    ],
)
def test_foreign_text_is_text_in_every_part(source: str, nasty: str, outline: Any) -> None:
    found = outline(part(source, x=nasty))
    assert nasty in "\n".join(found.words)
    assert not {"script", "img"} & found.tags


def test_foreign_text_is_text_in_the_title(nasty: str, outline: Any) -> None:
    found = outline(html.render("page.html", title=nasty))
    assert nasty in "\n".join(found.words)
    assert not {"script", "img"} & found.tags


def test_control_characters_and_half_characters_are_shown_as_symbols() -> None:
    shown = part("{{ ui.note(x) }}", x="a\x00b\x1b[31mc\x85d\ud83de\nf")
    assert "a␀b␛[31mc�d�e\nf" in shown
    shown.encode()


def test_our_own_markup_is_not_escaped() -> None:
    assert "<svg></svg>" in part("{{ ui.pair([x, none]) }}", x=Markup("<svg></svg>"))


@pytest.mark.parametrize(
    "source",
    [
        "{% call ui.section('x') %} {% endcall %}",
        "{{ ui.tiles([]) }}",
        "{% call ui.card('x') %}\n{% endcall %}",
        "{{ ui.pair([]) }}",
        "{{ ui.pair([none, none]) }}",
        "{{ ui.responsive(none) }}",
        "{{ ui.facts({'a': none, 'b': ''}) }}",
        "{{ ui.table(['a'], []) }}",
        "{{ ui.legend([]) }}",
        "{% call ui.details('x') %}{% endcall %}",
        "{{ ui.note('') }}",
    ],
)
def test_an_empty_part_is_left_out(source: str) -> None:
    assert part(source) == ""


def test_zero_and_false_are_not_empty() -> None:
    assert "<td>0</td>" in part("{{ ui.facts({'seed': 0}) }}")
    assert "<td>False</td>" in part("{{ ui.facts({'compile': false}) }}")


def test_an_unknown_name_in_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        part("{{ missing }}")


def test_every_colour_of_the_palette_is_a_css_variable_in_light_and_in_dark() -> None:
    page = html.render("page.html", title="t")
    for name in PALETTE:
        assert re.findall(rf"--{name}: (#[0-9a-f]{{6}});", page) == [PALETTE[name], DARK_PALETTE[name]], name


def test_text_in_figures_has_the_font_of_the_page() -> None:
    assert re.search(r"svg text \{ font-family: var\(--font\) !important; \}", html.render("page.html", title="t"))


def test_a_page_forbids_scripts_and_other_hosts() -> None:
    page = html.render("page.html", title="t")
    assert "default-src 'none'" in page
    assert 'name="viewport"' in page
    assert "://" not in page
