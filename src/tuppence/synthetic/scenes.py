"""Scenes that all plots share: the opening, feelings, a journey, the end.

Plots call these with the teller. The texts are here and in `tables/phrases.txt`.
"""

from __future__ import annotations

from tuppence.synthetic.teller import Teller


def opening(t: Teller, *hooks: str) -> None:
    """Introduces the hero, the setting and the season, in one of many orders.

    Args:
        t: the teller.
        hooks: first sentences that begin in the middle of the plot; sometimes one of them is used.
    """
    way = t.uniform()
    if hooks and way < 0.25:
        t(*hooks)
        t("<who_full>")
    elif way < 0.6:
        t("<who_full>")
        t("<habit>", "<season_extra>", "<about>")
    elif way < 0.8:
        t("<season_place>")
        t("<who_short>")
    else:
        t("<habit_first>")
    if t.chance(0.25):
        t("<about>")
    if t.chance(0.35):
        t("<backdrop>")
    t.paragraph(pause=False)


def feel(t: Teller, role: str, feeling: str) -> None:
    """Shows a feeling of a character: sad, glad, afraid, angry, ashamed, relieved or proud."""
    t.let(who=t.person(role))
    t(f"<feel_{feeling}>")


def think(t: Teller, role: str) -> None:
    t.let(who=t.person(role))
    t("<think>")


def journey(t: Teller, role: str, place: str) -> None:
    """A character goes to a place; sometimes the road is described."""
    t.let(who=t.person(role))
    if t.hero.is_animal:
        ready = "[pricked up {~who.his} ears|shook {~who.himself}|took a deep breath]"
    elif t.world.season == "winter":
        ready = "[buttoned up {~who.his} coat|wound a scarf round {~who.his} neck|put on {~who.his} mittens]"
    else:
        ready = (
            "[tied {~who.his} shoelaces|took {~who.his} cap|whistled to keep up {~who.his} spirits|took a deep breath]"
        )
    t(
        f"{{who}} <went> {{to {place}}}.",
        f"So {{who}} <went> {{to {place}}}.",
        f"<later> {{who}} <went> {{to {place}}}.",
        f"{{who}} {ready} and <went> {{to {place}}}.",
    )
    if t.chance(0.5):
        t("<road>")


def close(t: Teller, theme: str, role: str = "hero") -> None:
    """Ends the story with a thought about it, with a description, with both or with neither."""
    t.let(who=t.person(role))
    way = t.uniform()
    if way < 0.55:
        t(f"<close_{theme}>")
    if way > 0.4 and way < 0.85:
        t("<coda>")
