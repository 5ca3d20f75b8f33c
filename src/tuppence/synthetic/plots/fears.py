"""Fears of the dark, of water and of heights, and how they are overcome."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("lamp went out", "counted steps", "sang")
def afraid_of_the_dark(t: Teller) -> None:
    """Somebody afraid of the dark has to go through it, for somebody smaller."""
    opening(t, "{hero.name} always slept with a candle burning.")
    t(
        "There was only one thing that {hero} could not bear, and that was the dark.",
        "By day {hero} was afraid of nothing. By night {~hero} was afraid of everything.",
        "In the dark, {hero} believed, chairs turned into [bears|wolves] and coats grew arms.",
    )
    t(
        "{friend} [teased {hero.him} about it|thought this was funny].",
        "Nobody knew, except {friend.him}.",
        "{hero} never spoke of it.",
    )
    t.paragraph()
    t(
        "One night {parent} fell ill and needed [medicine|a doctor|help], and there was nobody else to go.",
        ("One evening {friend} did not come home from {wild}, and everybody else was out searching on the wrong side."),
        "Late one night a [lamb|kitten|child] could be heard crying, out beyond {water}.",
    )
    t(
        "{hero} looked at the door. Behind it was the dark, all of it.",
        "It was as black outside as the inside of a boot.",
    )
    feel(t, "hero", "afraid")
    t('"I have to," {hero} said, and lit the lantern.', "{hero} took the lantern and opened the door.")
    way = t.turn("lamp went out", "counted steps", "sang")
    if way == "lamp went out":
        t(
            "Halfway there, a gust of wind blew out the light.",
            "At the first bend the lantern flickered twice and died.",
        )
        t(
            (
                "{hero} stood still, and waited for something terrible. Nothing came but the stars, more "
                "of them than {~hero} had ever seen."
            ),
            "At first {~hero} saw nothing at all. Then, little by little, the path showed itself, pale as milk.",
        )
        t('"So that is what the dark is for," {hero} thought.', "The dark, it turned out, was full of small lights.")
    elif way == "counted steps":
        t(
            "{hero} counted {~hero.his} steps. By the time {~hero} reached [three|four] hundred, the "
            "fear had fallen behind, out of breath."
        )
        t(
            "Something rustled. It was only a hedgehog, and it looked more frightened than anybody.",
            "An eye gleamed. It belonged to a toad, which was on its way somewhere and did not stop.",
            "Something brushed past. It was only a moth, looking for the light.",
        )
    else:
        t(
            (
                "{hero} began to sing, [softly|in a shaky voice] at first and then louder, the silliest "
                "song in the world."
            ),
            "To keep up {~hero.his} courage, {hero} sang every song that {~hero} knew.",
        )
        t("Somewhere an owl joined in, a little out of tune.", "Even the dark seemed to be listening.")
    t.paragraph()
    t(
        "In the end {hero} got there, and everything turned out well.",
        "{hero} arrived, knocked, and was just in time.",
        "It was not too late. By midnight all were safe and warm.",
    )
    t.exchange(
        "friend",
        "hero",
        ("weren't you afraid?", "yes. The whole way there. Not so much on the way back."),
        ("you went out there alone? In the dark?", "it was only the day with its eyes closed."),
        ("how did you do it?", "one step, and then the next. There is no other way."),
    )
    close(t, "courage")


@plot("learned by degrees", "fell in", "pulled somebody out", season="summer")
def afraid_of_water(t: Teller) -> None:
    """Somebody who cannot swim learns it, and soon needs it."""
    opening(t, "Everybody was in the water except {hero.name}.")
    t(
        ("All the others [splashed|swam] {at water}, but {hero} stayed on the bank and said that {~hero} had a cold."),
        ("{hero} could not swim. Whenever the others went {to water}, {~hero} had [a headache|something else to do]."),
    )
    t(
        "The truth was that the water frightened {hero.him}.",
        "Deep water, {hero} thought, was only waiting for somebody to make a mistake.",
    )
    t.paragraph()
    if t.chance(0.4):
        t.mark("fell in")
        t(
            "Then one day {hero} slipped on a wet stone and fell in. {elder} fished {hero.him} out by the collar."
            if not t.hero.is_animal
            else ("Then one day {hero} slipped on a wet stone and fell in. {elder} pulled {hero.him} out by the ear.")
        )
        t.say(
            "elder",
            "you were lucky today. I shall teach you, so that you need no luck tomorrow.",
            "it could have ended badly. Come back tomorrow, and we shall begin with the shallow end.",
            "so. Now you have been in. The worst is over, and we can start.",
        )
    else:
        t.mark("learned by degrees")
        t(
            "One {time} {elder} sat down beside {hero.him}.",
            "{elder}, who swam every {time}, had noticed.",
            "One day {elder} came and dipped {~elder.his} feet in, and patted the place beside {~elder.him}.",
        )
        t.say(
            "elder",
            "you need not swim. Only put in one toe.",
            "what is the smallest part of it that does not frighten you?",
        )
    t(
        (
            "On the first day {hero} [wet {~hero.his} feet|stood in it up to the ankles]. On the "
            "second, {~hero} [blew bubbles|washed {~hero.his} face]."
        ),
        "They went a hand's breadth deeper each day, and talked about [soup|stars|other things] all the while.",
    )
    t(
        (
            "[One morning|At the end of the week] {hero} lay on {~hero.his} back, and the water "
            "carried {hero.him} like a [leaf|cradle]."
        ),
        "And then, when nobody expected it, {hero} let go of the edge, and nothing bad happened at all.",
        (
            "The day came when {hero} lifted both feet off the ground. The water took hold of "
            "{~hero.him}, as gently as a hand."
        ),
    )
    t.say("hero", "it is holding me up!", "I am floating! Look, I am floating!")
    t.paragraph()
    if t.chance(0.6):
        t.mark("pulled somebody out")
        t(
            (
                "Late that {season_name} a shout rang out {at water}. {friend} had fallen in, far from "
                "the bank, with heavy boots on."
            )
            if not t.hero.is_animal
            else (
                "Late that {season_name} a shout rang out {at water}. {friend} had fallen in, far from "
                "the bank, where the current was strong."
            )
        )
        t(
            "{hero} did not stop to be afraid. {~hero.he} was in the water before anybody else had turned round.",
            "{hero} was in before {~hero} had time to think.",
            "Others shouted for a rope. {hero} had already jumped.",
        )
        t(
            "It took all {hero.his} strength, but {~hero} brought {friend.him} to the shore.",
            (
                "{friend} clung and kicked, and they both went under, but {hero} remembered to lie on "
                "{~hero.his} back and breathe."
            ),
            "Inch by inch {hero} towed {friend.him} in, until there was mud underfoot.",
        )
        t.exchange(
            "friend",
            "hero",
            ("I thought you hated water.", "I did. Now I only respect it."),
            ("since when can you swim?", "since I put in one toe."),
        )
        close(t, "courage")
    else:
        t(
            (
                "By the end of {season_name} nobody could get {hero.him} out of the water any more, not "
                "even with {food}."
            ),
            "In the end one had to call {hero.him} four times for supper, and then {~hero} came dripping.",
            "By the time the nights grew cool, {hero} could dive for pebbles and come up with the right one.",
        )
        close(t, "patience")


@plot("kitten", "kite", "signal")
def afraid_of_heights(t: Teller) -> None:
    """Somebody who is afraid of heights has to fetch something from high up."""
    opening(t, '"Don\'t look down," said {hero.name} aloud, and looked down.')
    t(
        "{hero} liked the ground and saw no reason to leave it. Even a chair made {hero.him} giddy.",
        "Heights made {hero.his} head spin. {hero} would not so much as stand on a [chair|stump].",
    )
    way = t.turn("kitten", "kite", "signal")
    if way == "kitten":
        t(
            "One day a [kitten|young squirrel|fledgling] sat {at high} and cried, and could not get down.",
            "In the night something had climbed up {at high}, and now it mewed and did not dare to come down.",
            (
                "A very small owl had flown for the first time. It had got as far as {high}, and there "
                "its courage had given out."
            ),
        )
        t("{friend} had [hurt {~friend.his} foot|gone for help], and nobody else heard it.")
    elif way == "kite":
        t(
            (
                "One windy day {friend} flew a kite, the finest ever made, and the string broke. The "
                "kite came down {at high}."
            ),
            (
                "{friend} had a kite with a tail as long as a street. A gust took it, and it caught fast "
                "{at high}, right at the top."
            ),
        )
        t("{friend} had sewn it [all winter|for weeks], and now the wind was tearing at it.")
    else:
        t("One evening a boat was in danger, and somebody had to light the signal {at high}.")
        t("{elder}, who always did it, lay in bed with a fever.")
    feel(t, "hero", "afraid")
    t.paragraph()
    t(
        '"One step is not high," {hero} told {~hero.himself}. "And the next is only one more."',
        "{hero} did not look up, and did not look down. {~hero.he} looked at {~hero.his} own {hands}.",
    )
    t(
        "Up {~hero} went. The wind pulled at {hero.him}, and a stone broke loose and fell for a very long time.",
        "Halfway up {~hero.his} legs refused to move. {hero} waited until they changed their mind.",
        "Twice {~hero} stopped. Twice {~hero} went on.",
    )
    if way == "kitten":
        t(
            "At the top a small warm thing crept into {hero.his} arms and began to [purr|tremble less].",
            "Something soft pressed itself against {hero.his} neck and held on with all its claws.",
            '"There you are," {hero} said, and put it inside {~hero.his} collar.',
        )
    elif way == "kite":
        t(
            "At the top {hero} untangled the string, one knot at a time, and tied the kite to {~hero.his} back.",
            (
                "There hung the kite, with one wing bent. {hero} worked it loose and let the string "
                "down, so that {friend} could hold on to something as well."
            ),
        )
    else:
        t(
            "At the top {hero} struck a match. The flame stood up, and far out somebody cheered.",
            (
                "Then {hero} lit it, with the last match but one. A second light answered from out "
                "there, and turned slowly towards the land."
            ),
        )
    t(
        "From there one could see everything: the whole {town}, and the world that began behind it.",
        "Only then did {~hero} look. The {town} lay below, as small and neat as a toy.",
    )
    t('"Oh," said {hero.name}. Nobody had ever told {hero.him} that it was beautiful.')
    close(t, "courage")
