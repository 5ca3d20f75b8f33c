"""Neighbours and strangers: hospitality, and a thing that was borrowed."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot(
    "let in",
    "turned away first",
    "mended the bell",
    "told stories",
    "was the king's cook",
    cast="people",
    season="autumn",
    weather="rainy",
)
def stranger_at_the_door(t: Teller) -> None:
    """A stranger knocks at the door; later the hero is treated as the stranger was."""
    t.cast("stranger", trade="traveller")
    opening(t, "There were three knocks, a pause, and then a fourth, much softer.")
    t(
        "One night, while <sky>, somebody knocked at the door.",
        "It was a night when nobody ought to be out of doors, and yet there was a knock.",
    )
    t("Outside stood {stranger.name}, a traveller, in a coat that was more hole than coat.")
    t.say("stranger", "might I sit by your fire for an hour?", "could you spare a crust, and a dry corner?")
    if t.hero.temper in ("careful", "shy", "proud") and t.chance(0.6):
        t.mark("turned away first")
        t(
            '"We have nothing," said {hero.name}, and shut the door, because strangers frightened {~hero.him}.',
            (
                "{hero} opened the door by no more than a hand, and closed it again. One heard such "
                "things about strangers."
            ),
        )
        t(
            (
                "But {~hero} could not get warm again after that. {hero} saw the wet footprints on the "
                "step and thought of [who had made them|the long road]."
            ),
            "But the soup did not taste any more. {hero} listened to the steps as they went away.",
        )
        t(
            "In the end {~hero} took the lantern and ran after them, [calling|down the lane].",
            "Then {~hero} threw on a coat and ran out into the wet.",
            '"Wait!" {hero} called, and ran through all the puddles.',
        )
        t.say("hero", "please come back! There is soup.", "I was wrong. Please come in.")
    else:
        t.mark("let in")
        t(
            "{hero} looked at {parent.him}, and {parent} looked at the pot. It was not very full.",
            "{parent} nodded, and {hero} put a third bowl on the table.",
        )
        t.say(
            "hero", "come in. We were just saying that there is one chair too many.", "you are welcome. Mind the step."
        )
    t(
        "The stranger ate {food}, slowly, as one does who has been hungry for a long time.",
        "There was {food}, and the stranger ate it with closed eyes.",
    )
    t.paragraph()
    way = t.turn("mended the bell", "told stories", "was the king's cook")
    if way == "mended the bell":
        t.say(
            "stranger",
            "I have no money. Is there anything here that is broken?",
            "I can't pay, but I have two hands. What needs doing?",
        )
        t(
            (
                "There was the old bell, which had been cracked since before {hero} was born. Nobody had "
                "been able to mend it."
            ),
            (
                '"There is only the bell," said {hero.name}. It had been cracked for [thirty|fifty] '
                "years, and sounded like a dropped pan."
            ),
        )
        t(
            "The stranger went up {to high} with a [small hammer|little furnace] and stayed there "
            "all night. In the morning the bell rang, "
            "so clear that people came out in their nightshirts."
        )
        t(
            "{stranger.name} was gone by then, but whenever it rings, somebody puts one more plate on the table.",
            ("Nobody saw {stranger.him} go. But since then there has always been a light in the window on wet nights."),
        )
    elif way == "told stories":
        t(
            "Then {stranger.name} began to talk, about [whales|deserts] and [glass towns|rivers of "
            "ice], and a road that led to all of them."
        )
        t(
            ("The fire burned down, and nobody noticed. {hero} had never known that there was so much of the world."),
            (
                "The candle went out, and they sat in the dark and went on listening. It was as if the "
                "walls had moved further apart."
            ),
        )
        t.say("hero", "is it all true?")
        t.say("stranger", "the best parts are.", "go and see. I have left some of it for you.")
    else:
        t("<next_day> there was a letter under the plate, with a red seal.")
        t(
            '"I have cooked for two kings," it said, "and they never gave me a spoonful of their '
            'own. Here is the recipe that they wanted most."'
        )
        t(
            (
                "{hero} and {parent} tried it. Before the year was out, people came from far away to eat "
                "at their table, and {elder} came twice a day."
            ),
            (
                "They cooked it that same Sunday. Now there is a sign over the door, and in summer there "
                "are tables in the yard."
            ),
        )
    close(t, "kindness")


@plot("returned late", "returned better", "lent again")
def borrowed(t: Teller) -> None:
    """Something borrowed is kept too long, and a friendship suffers."""
    t.pick(tool="tool")
    t.person("elder")
    opening(t, "The {tool} had hung on {hero.name}'s wall for so long that it had begun to look at home.")
    t(
        "In spring {hero} had borrowed {a tool} from {elder.him}, for one day."
        if t.world.season != "spring"
        else "The autumn before, {hero} had borrowed {a tool} from {elder.him}, for one day."
    )
    t(
        "One day became a week, and a week became a month. The longer {hero} waited, the harder it was to go.",
        (
            "It was too late in the evening, and then it was raining, and then it had been so long "
            "that one could not simply go."
        ),
        "Tomorrow, {hero} said every day. And every day it weighed a little more.",
    )
    t(
        "If {~hero} saw {elder.him} coming, {~hero} [crossed over to the other side|hid behind a tree].",
        "{hero} no longer went past the door of {elder.named}.",
    )
    t("{elder} said nothing, but {elder.he} no longer waved.")
    t.paragraph()
    t.mark("returned late")
    t(
        "Then one day {hero} wanted to borrow something else, and noticed that there was nobody left to ask.",
        ('{friend} wanted to borrow {hero.his} basket, and {hero} heard {~hero.himself} say, "If you bring it back."'),
    )
    feel(t, "hero", "ashamed")
    if t.chance(0.5):
        t.mark("returned better")
        t(
            "{hero} took the {tool} down from the wall. It was rusty. {hero} scrubbed it and oiled "
            "it, and put in a new handle of ash wood."
        )
        t(
            "Then, before courage could fail, {~hero} carried it across and knocked.",
            "{hero} put it over {~hero.his} shoulder and went, and did not stop to think.",
            "The way was short and took a very long time.",
        )
    else:
        t("That very {time} {hero} took it back, with {snack} to go with it, and knocked before courage could fail.")
    t.say(
        "hero",
        "I have had this for far too long. I was ashamed, and so I kept it longer still.",
        "this is yours. I should have brought it long ago, and then I didn't dare.",
        "I am late. I am about two hundred days late.",
    )
    t(
        "{elder} took it and weighed it in {elder.his} hand."
        if not t.hero.is_animal
        else "{elder} looked at it from all sides."
    )
    t.say(
        "elder",
        "I did not miss the {tool}. I missed your coming by.",
        "do you know, I bought another. But I could not buy another neighbour."
        if not t.hero.is_animal
        else "I found another {tool}. But I could not find another neighbour.",
    )
    if t.chance(0.5):
        t.mark("lent again")
        t.say(
            "elder",
            "here, take my ladder too. And bring it back on Saturday."
            if not t.hero.is_animal
            else "here, take my best basket too. And bring it back tomorrow.",
        )
        t("{hero} brought it back a day early.")
    close(t, "honesty")
