"""Things that go missing, and things that are found and belong to somebody else."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, journey, opening, think
from tuppence.synthetic.teller import Teller


@plot("remembered", "friend saw", "bird took it", "floated away", "sank")
def lost_treasure(t: Teller) -> None:
    """A keepsake is lost; what the hero did in the morning decides where it is found."""
    thing = t.thing("thing")
    t.person("grand")
    opening(
        t,
        '"It\'s gone!" cried {hero.name}, and turned out {hero.his} pockets for the third time.',
        "The pocket was empty. {hero.name} felt in it again, but it stayed empty.",
    )
    t(
        "{hero.his} dearest possession was {a thing}, which {grand} had given {hero.him}.",
        "Wherever {hero} went, {~hero} carried {a thing}. It had once belonged to {grand.him}.",
        "{hero} owned {a thing}, a present from {grand.him}, and kept it [close|safe] day and night.",
    )
    way = t.turn("remembered", "friend saw", "bird took it", "by water")
    by_water = way == "by water"
    if by_water:
        t.branches[-1] = "floated away" if thing.floats else "sank"
        t(
            "That {time} {hero} stopped {at water} to [drink|wash {~hero.his} {hands}|look at the reflections].",
            "{hero} [leaned over|knelt down] {at water} that {time} to watch the [ripples|bubbles|little fish].",
        )
    else:
        t(
            (
                "That {time} {hero} [lay down on {~hero.his} back|ate {snack}|stopped to {doing}] {at "
                "wild} and thought of nothing at all."
            ),
            "{hero} spent the {time} {at wild}, where <sight>.",
            "That {time} {hero} lay on {~hero.his} stomach {at wild} to watch a beetle go by.",
        )
    t(
        "When {~hero} got home, {the thing} was gone.",
        "Only at supper did {~hero} notice that {the thing} was missing.",
        "<later> {hero} reached for {the thing}. It was not there.",
    )
    feel(t, "hero", "sad")
    t.paragraph()
    t(
        ("{hero} <search_verb> <spot>, <spot> and <spot>, and found nothing but [a snail|a bent nail|an old button]."),
        "{hero} searched {at public}. {~hero.he} looked <spot> and even <spot>, but in vain.",
        "First {hero} looked <spot>. Then {~hero} looked <spot>. [Nothing|No luck]!",
    )
    if way == "friend saw":
        t.say("friend", "what are you looking for?", "have you lost something?", "why so glum?")
        t.say(
            "hero",
            "{the thing} from {grand.him}. I had it this {time}.",
            "I have lost {the thing}, and it is my own fault.",
        )
        t.say(
            "friend",
            "but I saw it! It fell when you [jumped|ran past] {at wild}. I thought you had put it there.",
            "wait. Something [shone|lay] {at wild} when I came by. It may be yours.",
        )
        t.paragraph()
        t(
            "They ran {to wild} together, and there it was, <spot>.",
            "Side by side they combed the ground {at wild}, until {friend} gave a shout and held up {the thing}.",
        )
        feel(t, "hero", "relieved")
        t.say("hero", "<thanks>.")
        t.say("friend", "<welcome>.")
        close(t, "friendship")
    elif way == "bird took it":
        t(
            (
                "<suddenly> {hero} heard a chattering overhead. A magpie was hopping about near its "
                "nest, looking pleased."
            ),
            "A magpie flew by with something in its beak, and all at once {hero} understood.",
        )
        t(
            (
                "{hero} climbed [carefully |]up to the nest, branch by branch. In it lay {the thing}, "
                "among pins and bottle tops."
            ),
            (
                "High in the fork of the tree was the nest, and in the nest, between a spoon and a hair "
                "ribbon, lay {the thing}."
            ),
        )
        if t.hero.temper in ("kind", "careful", "curious"):
            t(
                (
                    "{hero} took back what was {~hero.hers}, but left the bird a [shiny button|scrap of "
                    "silver paper] in its place."
                ),
                (
                    "{hero} put a [bottle top|bright button] in the nest, so that it should not be empty, "
                    "and took {the thing}."
                ),
            )
            t(
                "From then on the magpie [followed {hero.him} everywhere|came to the window each morning].",
                "The magpie thought it over, and found it fair.",
                "Since that day there has sometimes been a present on the sill: a bead, a screw, a berry.",
            )
            close(t, "kindness")
        else:
            t(
                "The magpie shrieked, and {hero} nearly fell, but {~hero.his} hand closed round {the thing}.",
                "There was a great flapping and scolding, but {hero} held on, to the branch and to {the thing}.",
            )
            feel(t, "hero", "glad")
            t("After that, {hero} tied {the thing} to {~hero.his} [belt|neck] with a double knot.")
            close(t, "mistake")
    elif by_water:
        think(t, "hero")
        t(
            '"I bent over the water," {hero} said aloud. "That is when it must have slipped out."',
            "{hero} saw it all before {~hero.him}: the bank, the ripples, and how {~hero} had bent down.",
        )
        journey(t, "hero", "water")
        if thing.floats:
            t(
                "{the thing} was nowhere to be seen, but {thing.material} floats, and {hero} knew which "
                "way the water went."
            )
            t(
                "{hero} followed the bank for [an hour|half a mile], past [reeds|stones] and [roots|nettles].",
                "{hero} ran along the edge, where <sight>.",
            )
            t(
                ("There, caught [behind a stone|among the weeds|in an old basket], bobbed {the thing}, wet but whole."),
                ("And there it was! It turned round and round in a quiet corner, as if it were waiting to be fetched."),
            )
        else:
            t(
                "The water was [brown|dark] and deep, and {the thing} did not float. {hero} could see "
                "[nothing|only {~hero.himself}]."
            )
            t(
                "{friend} came by with a [long rake|fishing net] and they took turns to drag the bottom.",
                "{friend} tied a spoon to a long pole, and they fished all {time}.",
            )
            t(
                "They pulled up a boot, a kettle without a lid and, at the very end, {the thing}.",
                ("First came a bicycle wheel, then a great deal of weed, and then, muddy and glorious, {the thing}."),
            )
        feel(t, "hero", "relieved")
        close(t, "curiosity" if thing.floats else "friendship")
    else:
        t(
            '"Think," {hero} told {~hero.himself}. "Where was I? What did I do?"',
            "{hero} shut {~hero.his} eyes and went through the day again, step by step.",
        )
        t("And then {~hero} remembered {wild}.", "{wild}! That was it.")
        journey(t, "hero", "wild")
        t(
            "The grass was still flattened where {~hero} had been. In the middle of it lay {the thing}.",
            "It was [nearly dark|getting late], but something gleamed <spot>. It was {the thing}!",
        )
        feel(t, "hero", "glad")
        t("At home {~hero} told {grand} everything.", "That evening {grand} wanted to hear all about it.")
        t.say(
            "grand",
            "I lost it too, you know, when I was your age. I found it in the same way: by sitting still.",
            "things come back to those who [go back for them|remember well].",
        )
        close(t, "patience")


@plot("kept it a night", "gave it back at once", "owner was a surprise")
def found_purse(t: Teller) -> None:
    """Something valuable is found that belongs to somebody else."""
    t.pick(prize="valuable")
    opening(t, "At first {hero.name} thought it was a stone, but stones do not jingle.")
    t(
        "{hero} was on {~hero.his} way {to public} when {~hero.his} foot struck something <spot>.",
        "It was {hero.named} who found it, <spot>, on the way {to public}.",
    )
    t("It was {a prize}, and nobody was about.", "There lay {a prize}. {hero} looked left and right. Nobody.")
    t.let(wish="")
    t.pick(wish="wish")
    t('"With this," thought {hero.name}, "I could have {a wish}."', "All at once {hero} thought of {a wish}.")
    t.paragraph()
    if t.hero.temper in ("hasty", "proud") or t.chance(0.3):
        t.mark("kept it a night")
        t(
            (
                "So {hero} hid the {prize} under {~hero.his} pillow. But it seemed to "
                "[whisper|hum|grow], and sleep would not come."
            ),
            "{hero} took the {prize} home and told nobody. At supper the food tasted of nothing.",
        )
        t(
            "In the morning {elder} went from door to door, pale and worried.",
            "<next_day> {hero} met {elder}, who was searching the ground, step by step.",
        )
        t.say(
            "elder",
            "have you seen {a prize}? It was to pay for <repair>.",
            "somebody must have found {a prize}. All that I had was in it, for <repair>.",
        )
        feel(t, "hero", "ashamed")
        t.say(
            "hero",
            "I found it, and I kept it. I am sorry.",
            "it is at my house. I wanted it for myself.",
            how="whispered|said|admitted",
        )
        t.say(
            "elder",
            "you brought it back by daylight. That takes more than finding it.",
            "well. You have told me before I had to ask. I shall remember that.",
        )
        close(t, "honesty")
        return
    t.mark("gave it back at once")
    t(
        '"Somebody is [missing|looking for] this," {~hero} said, and set off to ask.',
        "But it was not {hero.hers}, and that was that. {hero} went from door to door.",
    )
    t(
        ("It did not belong to the [postman|miller]. It did not belong to the woman with the [basket|umbrella] either.")
        if not t.hero.is_animal
        else "It did not belong to the fat goose. It did not belong to the fox with the torn ear either.",
        "Nobody {at public} had lost anything but [a cough|time|an argument].",
    )
    t(
        "At last {~hero} met {elder}, who was looking <spot> with a very long face.",
        "Behind the last house somebody was crawling about in the grass. It was {elder.named}.",
        "Then somebody came running, hatless and out of breath. It was {elder.named}.",
    )
    t.say("elder", "the {prize}! It was for <repair>. I had given it up.")
    if t.chance(0.4):
        t.mark("owner was a surprise")
        t(
            "{hero} was astonished, for {elder.name} had never had a good word for anybody.",
            (
                "Nobody had ever seen {elder.him} smile before. It was like a cupboard door that has not "
                "been opened for years."
            ),
        )
        t("That day {elder} had several, and they sounded quite unused.")
    t(
        "As a reward {hero} was given {food}, and {~hero} [shared it with {friend.him}|ate every crumb].",
        "{elder} [insisted on giving|gave] {hero.him} {food}, and it was better than {a wish}.",
    )
    close(t, "honesty")
