"""Presents and birthdays: what to give without money, and to whom."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("made it", "sold something dear", "both gave", "earned it")
def present(t: Teller) -> None:
    """Somebody wants to give a present and has no money."""
    t.person("friend")
    t.thing("thing")
    t.pick(wish="wish")
    opening(t, "In {hero.name}'s savings box there were two coins and a dead beetle.")
    t(
        "It was nearly {friend.named}'s birthday, and {hero} knew what {friend} wanted most of all: {a wish}.",
        "{friend} often stopped at the stall {at public} to look at {a wish}, and never said a word.",
    )
    t("It cost more than {hero} had ever owned.", "{hero} asked what it cost, and had to sit down.")
    t.paragraph()
    way = t.turn("made it", "both gave", "earned it")
    if way == "earned it":
        t(
            (
                "So {hero} went to {elder.him} and asked for work. {~hero.he} swept and scrubbed and "
                "carried, every {time}."
            ),
            (
                "{elder} needed somebody to [pluck geese|chop wood|run errands], and {hero} did it, "
                "every {time} for a week."
            ),
        )
        t(
            "At the end of the week there were enough coins, and a blister to each of them.",
            "Coin by coin the box grew heavier.",
        )
        t(
            "On the day before the birthday {hero} ran {to public}. It was gone. Somebody else had bought it!",
            "With the money in {~hero.his} fist {hero} ran {to public}. There was a gap where {a wish} had been.",
        )
        feel(t, "hero", "sad")
        t(
            "But the next morning {elder} stood at the door with something behind {elder.his} back.",
            "But {elder} had been standing there all the while, smiling a little.",
        )
        t.say(
            "elder",
            "I thought that somebody might snap it up. So I put it aside for you.",
            (
                "were you looking for this? I saw you look at it, and I bought it before anybody else "
                "could. You can pay me now."
            ),
        )
        close(t, "work")
    elif way == "made it":
        t(
            "If one cannot buy a thing, one has to make something else. {hero} looked at what there "
            "was: [a board|a bag of rags], some wire and {a thing}."
        )
        t(
            "For three evenings {hero} sawed and sewed behind a locked door. The first try looked "
            "like a squashed [frog|hat]. The second one looked better."
        )
        t(
            (
                "It was not {a wish} at all. It was a little [theatre|fleet of ships|zoo], with "
                "everybody they knew in it."
            ),
            (
                "What came of it was not {a wish}. It was a box with a crank, and when one turned it, "
                "the whole {town} went by."
            ),
        )
        t.say(
            "friend",
            "that's me! And that's you, with your hair standing up!"
            if not t.hero.is_animal
            else "that's me! And that's you, with your ears standing up!",
        )
        t.say("hero", "I know that you wanted {a wish}.")
        t.say("friend", "did I? I forget.", "anybody can have that. Nobody has this.")
        close(t, "friendship")
    else:
        t.mark("sold something dear")
        t(
            "There was only one thing that {hero} could sell, and that was {a thing}. {hero} loved "
            "it, and took it to the market all the same."
        )
        t(
            "With the money {~hero} bought {a wish}, and carried it home under {~hero.his} coat."
            if not t.hero.is_animal
            else "In exchange {~hero} got {a wish}, and dragged it home in the dark."
        )
        t("On the birthday {friend} had a parcel too.", "{friend}, too, had something behind {friend.his} back.")
        t.say("friend", "this is for you. I could not wait for yours.")
        t(
            (
                "In it was a [case|little stand|lining], made to measure, for {the thing}. {friend} had "
                "gone without [lunch|sweets] to get it."
            )
            if not t.hero.is_animal
            else (
                "In it was a bed of moss, made to measure, for {the thing}. {friend} had worked for weeks to make it."
            )
        )
        t(
            (
                "They looked at each other, and then at the empty place, and began to laugh until they "
                "had to hold on to the table."
            ),
            (
                "For a moment neither of them spoke. Then one of them snorted, and that was that. They "
                "laughed until it hurt."
            ),
        )
        close(t, "sharing")


@plot("flowers", "company", "wrong day", cast="people")
def forgotten_birthday(t: Teller) -> None:
    """An old neighbour has a birthday that nobody knows of."""
    t.person("elder")
    t.person("friend")
    opening(t, "There was one candle in the window of {elder.name}, and it was not dark yet.")
    t(
        "{elder.name} lived behind a high hedge and was said to be [bad-tempered|a little odd]. "
        "Balls that flew over it were never seen again."
    )
    t(
        "One {time} {hero} crept in to fetch {a thing} that {friend} had thrown too far.",
        "{hero} and {friend} dared each other to look in at the window.",
    )
    t(
        (
            "Inside, at a table laid for [six|eight], sat {elder.name} all alone. There was a cake "
            "on it, and it had not been cut."
        ),
        (
            "There were eight plates and eight cups, and a cake with candles, and in "
            "front of it, with folded hands, sat {elder.name}."
        ),
        (
            "Through the gap in the curtain one could see paper chains, and a big cake, and "
            "{elder.name}, looking at the clock."
        ),
    )
    t(
        "{hero} came away on tiptoe and could not forget it.",
        "{hero} climbed down without a sound, and a lump stuck in {~hero.his} throat.",
    )
    t.say(
        "hero",
        "it is somebody's birthday in there, and nobody has come.",
        "nobody came. There are all those chairs, and nobody came.",
        "did you see the table? It's a birthday. It's a birthday with nobody at it.",
    )
    t.say("friend", "perhaps nobody was asked.", "then we must hurry.")
    t.paragraph()
    way = t.turn("flowers", "company", "wrong day")
    if way == "flowers":
        t(
            "They picked whatever was in bloom along the road, and what was not, they made out of paper."
            if t.world.season != "winter"
            else "Nothing bloomed in winter, so they made flowers out of coloured paper, a whole armful."
        )
        t(
            (
                "When the door opened, {elder.name} frowned at them, and then at the flowers, and then "
                "had to look for a handkerchief."
            ),
            "{elder.name} opened the door by a crack. Then it opened wider, and then all the way.",
        )
        t.say("elder", "you had better come in. I don't know what one does with so much cake.")
    elif way == "company":
        t(
            (
                "They knocked at every door in the street. The [milkman|baker] came, and the twins, and "
                "a man who only wanted to know what the noise was."
            ),
            (
                "In half an hour they had rung every bell: the twins came, and the [milkman|chimney "
                "sweep], and somebody's grandmother in her slippers."
            ),
        )
        t(
            "When {elder.name} opened, there were [nineteen|twenty-two] people on the step, and "
            "somebody had brought a fiddle."
        )
        t.say("elder", "there must be some mistake.")
        t.say("hero", "there was. We have come to put it right.")
    else:
        t('They washed their faces, knocked, and shouted "Happy birthday!"')
        t.say(
            "elder",
            (
                "my birthday? That is in five months. Today I have only been practising, so as not to be "
                "out of the habit of company."
            ),
        )
        t(
            "{hero} wanted to sink into the ground. But {elder.name} had already begun to cut the cake.",
            "There was a dreadful pause. Then {elder.name} fetched the knife.",
        )
        t.say("elder", "now that you are here, let us say that this was a rehearsal. You did it very well.")
    t(
        (
            "All the lost balls lay in a basket by the door, mended and blown up. {elder.name} had "
            "never known whom to give them to."
        ),
        "And on the way out they were each given a ball. There was a whole chest full, washed and sorted by size.",
    )
    close(t, "kindness")
