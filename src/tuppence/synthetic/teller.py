"""The state of one story while it is told, and the functions that plots call.

A `Teller` holds the world, the characters, the things, the words already used, and the text so far. Plots call it with
templates (see `grammar`), let characters speak, and record the turns of the story. Called by `stories`.
"""

from __future__ import annotations

from random import Random

from tuppence.synthetic.dialogue import speak
from tuppence.synthetic.discourse import Discourse
from tuppence.synthetic.english import capitalise, gerund, past, with_article
from tuppence.synthetic.grammar import parse, render
from tuppence.synthetic.naming import Naming
from tuppence.synthetic.people import Character, make_elder, make_hero, make_parent, make_peer
from tuppence.synthetic.tables import table
from tuppence.synthetic.world import (
    PLACE_ROLES,
    Place,
    Thing,
    make_place,
    make_thing,
    make_world,
    tables_of,
)

Value = str | Character | Thing | Place

_PAUSES = 0.4  # probability of a pause between two scenes
_JOINS = 0.4  # probability that two short sentences about the same person become one


class Teller:
    """Tells one story.

    Args:
        random: the source of all random choices.
        animals: whether the story happens among animals.
        season, weather: what the plot needs; empty for any.
    """

    def __init__(self, random: Random, animals: bool, season: str = "", weather: str = "") -> None:
        self.random = random
        self.uniform = random.random
        self.world = make_world(random, animals, season, weather)
        self.discourse = Discourse(random)
        self.branches: list[str] = []
        self.hero = make_hero(random, animals)
        self._naming = Naming(self.uniform, self.discourse, self.hero)
        self._slots: dict[str, Value] = {"hero": self.hero, "who": self.hero}
        self._cast = [self.hero]
        self._used: dict[str, int] = {}
        self._paragraphs: list[str] = []
        self._sentences: list[str] = []
        self._speaker: Character | None = None  # who spoke last in this paragraph
        self._turns: list[Character] = []  # who spoke in the unbroken run of speech just before
        self._tables = tables_of(self.world, random)
        self._set_scene()

    def _set_scene(self) -> None:
        """The slots that every story has: place, time, and what the hero likes to do and to eat."""
        self.pick(setting="setting", doing="doing", food="food", snack="snack")
        setting = str(self._slots["setting"])
        town = next(noun for noun in table("town") if noun in setting)
        inside = "on" if town == "island" else "in"
        animal = self.hero.is_animal
        self.let(
            town=town,
            in_town=f"{inside} the {town}",
            in_the_setting=f"{inside} the {setting}",
            in_a=f"{inside} {with_article(setting)}",
            season_name=self.world.season,
            time="morning" if self.uniform() < 0.6 else "afternoon",
            hands="paws" if animal else "hands",
        )

    # What plots call -------------------------------------------------------------------------------------------

    def __call__(self, *alternatives: str) -> None:
        """Tells one of the alternatives, each of which is one or more whole sentences."""
        source = alternatives[int(self.uniform() * len(alternatives))]
        told = render(parse(source), self)
        after_speech = self._speaker is not None or self._just_quoted()
        if after_speech and (told[0] == '"' or (len(self._sentences) > 4 and self.uniform() < 0.4)):
            self._break()
        if self._can_join(told) and self.uniform() < _JOINS:
            told = f"{self._sentences.pop()[:-1]}, and {told}"
        self._sentences.append(told)
        self.discourse.end_sentence()
        self._turns = []

    def say(self, role: str, *alternatives: str, how: str = "") -> None:
        """A character speaks one of the alternatives; a new speaker begins a new paragraph.

        Args:
            role: the slot of the speaker.
            alternatives: what is said, without quotation marks; other characters are named in it.
            how: verbs for the tag, separated by `|`; empty for the usual ones.
        """
        speaker = self.person(role)
        source = alternatives[int(self.uniform() * len(alternatives))]
        if self._speaker is not None and self._speaker is not speaker:
            turns = self._turns
            self._break()
            self._turns = turns
        elif self._speaker is None and self._just_quoted():
            self._break()
        self._slots["speaker"] = speaker
        line = capitalise(render(parse(source, quoted=True), self))
        self._sentences.append(self._quote(speaker, line, how))
        self.discourse.end_sentence()
        self._speaker = speaker
        self._turns.append(speaker)

    def exchange(self, first: str, second: str, *pairs: tuple[str, str]) -> None:
        """A line and the answer that belongs to it, out of several such pairs."""
        line, answer = pairs[int(self.uniform() * len(pairs))]
        self.say(first, line)
        self.say(second, answer)

    def _quote(self, speaker: Character, line: str, how: str) -> str:
        """Adds a tag, unless the speaker is clear: the last speaker continues, or two take turns."""
        turns = self._turns
        goes_on = bool(turns) and turns[-1] is speaker
        takes_turn = len(turns) > 1 and turns[-2] is speaker and turns[-1] is not speaker
        if not how and (goes_on or (takes_turn and self.uniform() < 0.5)):
            return f'"{line}"'
        return speak(self, line, how, is_answer=bool(turns) and not goes_on)

    def paragraph(self, pause: bool = True) -> None:
        """Begins a new scene in a new paragraph; sometimes a sentence of `<pause>` comes first."""
        if pause and self.uniform() < _PAUSES:
            self("<pause>")
        self._break()

    def _break(self) -> None:
        if self._sentences:
            self._paragraphs.append(" ".join(self._sentences))
            self._sentences = []
        self._speaker = None
        self._turns = []
        self.discourse.end_paragraph()

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def mark(self, branch: str) -> None:
        """Records a turn of the story."""
        self.branches.append(branch)

    def turn(self, *branches: str) -> str:
        """Chooses a branch of the plot, and records it."""
        branch = branches[int(self.uniform() * len(branches))]
        self.branches.append(branch)
        return branch

    def let(self, **slots: Value) -> None:
        """Fills slots; a string may be a template."""
        for name, value in slots.items():
            self._slots[name] = render(parse(value), self) if isinstance(value, str) else value

    def pick(self, **tables_of_slots: str) -> None:
        """Fills each slot with an entry of a table that this story has not used yet."""
        for slot, name in tables_of_slots.items():
            self._slots[slot] = self.word(name, False)

    def person(self, role: str) -> Character:
        """Returns the character of a role, which is made on first use."""
        value = self._slots.get(role) or self._create(role)
        if not isinstance(value, Character):
            raise TypeError(f"{role} is not a character")
        return value

    def cast(self, role: str, relation: str = "", trade: str = "") -> Character:
        """Makes the character of a role: a peer with that relation, or an elder with that trade."""
        if relation:
            who = make_peer(self.random, self.hero, self._cast, relation)
        else:
            who = make_elder(self.random, self.hero, self._cast, trade)
        return self._enter(role, who)

    def thing(self, slot: str, material: str = "") -> Thing:
        """Puts a new thing into a slot."""
        made = self._slots[slot] = make_thing(self.random, material)
        return made

    def text(self) -> str:
        """The story so far, with capitals."""
        self._break()
        return capitalise("\n\n".join(self._paragraphs))

    # What templates call ---------------------------------------------------------------------------------------

    def word(self, name: str, quoted: bool) -> str:
        entries = table(self._tables.get(name, name))
        # each table is read from a random position on, so that no entry repeats before all have been used
        place = self._used.get(name)
        step = int(self.uniform() * len(entries)) if place is None else place + 1
        self._used[name] = step
        return render(parse(entries[step % len(entries)], quoted), self)

    def end_sentence(self) -> str:
        self.discourse.end_sentence()
        return ""

    def fill(self, form: str, name: str, attribute: str, quoted: bool) -> str:
        value = self._slots.get(name)
        if value is None:
            value = self._create(name)
        if isinstance(value, str):
            if form:
                return with_article(value) if form == "a" else f"{form} {value}"
            return {"": value, "ed": past(value), "ing": gerund(value)}[attribute] if attribute else value
        if isinstance(value, Character):
            return self._naming.character(value, form, attribute, quoted)
        if isinstance(value, Place):
            return f"{value.preposition if form == 'at' else form} {value.phrase}".strip()
        return self._naming.thing(value, form, attribute)

    def _just_quoted(self) -> bool:
        return bool(self._sentences) and '"' in self._sentences[-1]

    def _can_join(self, told: str) -> bool:
        """Whether a sentence that begins with a pronoun can follow the last one after a comma."""
        if not self._sentences or not told.startswith(("he ", "she ")):
            return False
        last = self._sentences[-1]
        return (
            last.endswith(".")
            and len(last) < 90
            and not any(mark in last or mark in told.partition(".")[0] for mark in ('"', " and ", ", ", ";", ":"))
        )

    def _enter(self, role: str, who: Character) -> Character:
        self._cast.append(who)
        self._slots[role] = who
        return who

    def _create(self, name: str) -> Value:
        """Makes the character, place or thing of a slot that is not filled yet."""
        if name in ("friend", "rival", "other"):
            return self._enter(name, make_peer(self.random, self.hero, self._cast))
        if name in ("elder", "stranger"):
            return self._enter(name, make_elder(self.random, self.hero, self._cast))
        if name in ("parent", "grand"):
            return self._enter(name, make_parent(self.random, self.hero, name == "grand"))
        if name in PLACE_ROLES:
            taken = {each.phrase for each in self._slots.values() if isinstance(each, Place)}
            place = self._slots[name] = make_place(self.random, self.world, name, taken)
            return place
        if name == "thing":
            return self.thing(name)
        raise KeyError(f"no slot {{{name}}} in this story")
