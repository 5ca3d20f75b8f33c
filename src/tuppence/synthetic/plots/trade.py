"""Trade: a chain of favours, and a day at the market."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("three trades", "four trades", "gave it away at the end")
def chain_of_trades(t: Teller) -> None:
    """To get one thing the hero needs another, and for that a third."""
    a, b, c = ("miller", "beekeeper", "cobbler") if not t.hero.is_animal else ("", "", "")
    t.cast("one", trade=a)
    t.cast("two", trade=b)
    t.cast("three", trade=c)
    t.thing("thing", "cloth")
    opening(t, "It all began with a needle, or rather with the lack of one.")
    t(
        "{friend} had {a thing} with a torn [seam|corner], and {hero} had promised to mend it. "
        "For that {hero.he} needed a needle."
    )
    t(
        "{one} had a needle.",
        '"A needle?" said {friend.name}. "{one} has one, I believe."',
        "Now, {one} had a whole paper of needles.",
    )
    t.say("one", "you may have it, but I am out of honey. Bring me some, and it is yours.")
    t(
        "So {hero} went to {two.him}, who had honey.",
        "Honey was to be had from {two.him}, and so {hero} went there.",
        '"Honey," said {hero.name} to {~hero.himself}, and walked all the way to {two.named}.',
    )
    t.say("two", "gladly. But somebody must bring me a bit of string first, to tie up the lid.")
    t("String! {hero} remembered that {three} always had string.")
    if t.chance(0.5):
        t.mark("four trades")
        t.say(
            "three",
            "my hands are full and my nose itches. Hold this, and I shall look for it.",
            "for a song, you may have it. I mean that. Sing me one.",
        )
        t(
            "{hero} did as {three} asked, and felt rather silly, and got the string.",
            "It took a while, and somebody laughed, but in the end {hero} had the string.",
        )
    else:
        t.mark("three trades")
        t.say("three", "string? Take as much as you like.", "I have a ball of it. What is it for?")
    t.paragraph()
    t(
        "Back {~hero} ran: the string for the honey, and the honey for the needle.",
        ("{hero} gave the string to {two.him}, and took the honey to {one.him}, and at last {~hero} had the needle."),
    )
    if t.chance(0.6):
        t(
            "{hero} mended {the thing} that same evening, with [seven|eleven] neat stitches.",
            (
                "That evening {hero} sat down by the window and sewed, and nobody would have known that "
                "it had ever been torn."
            ),
        )
        t.say("friend", "was it much trouble?", "did it give you any trouble?")
        t(
            "{hero} thought of the string, and the honey, and the long road between them.",
            (
                "{hero} saw them all before {~hero.him}: the one with the string, the one with the "
                "honey, the one with the needle."
            ),
        )
        t.say(
            "hero",
            "hardly any. I met everybody {in_town}.",
            "only a little. And I know now where to find string.",
        )
        close(t, "work")
    else:
        t.mark("gave it away at the end")
        t(
            (
                "On the way home {~hero} met a [little girl|small boy|mole] who sat crying, because a "
                "kite had a hole in it."
            )
            if not t.hero.is_animal
            else "On the way home {~hero} met a little mole who sat crying over a torn blanket."
        )
        t(
            "{hero} looked at the needle. Then {~hero} sat down and began to sew.",
            "One needle, and two things to mend. {hero} sighed, and threaded it.",
        )
        t(
            "The needle broke at the very last stitch. {hero} laughed, because there was nothing else to do.",
            "It was done, except for the last knot, when the needle went crack. {hero} looked at the two halves.",
        )
        t(
            'But {friend} only shrugged. "It can wait," {~friend} said. "Sit down, and tell me about '
            'it from the beginning."'
        )
        close(t, "kindness")


@plot("taken by surprise", "sold too cheap", "bargained well", cast="people")
def market_day(t: Teller) -> None:
    """The hero goes to market to sell, and meets a sharp bargainer."""
    t.pick(goods="goods", wish="wish")
    t.cast("dealer", trade="horse dealer")
    opening(
        t,
        '"How much?" asked the man with the gold tooth.'
        if t.person("dealer").pronouns.he == "he"
        else '"How much?" asked the woman with the gold tooth.',
    )
    t(
        "{parent} was ill, and so {hero} had to go to market alone, to sell {goods}.",
        "For the first time {hero} was allowed to go to market alone, with {goods} on a handcart.",
    )
    t.say(
        "parent",
        "don't take less than they are worth. And don't believe anybody who is in a hurry.",
        "look at the goods, look at the money, and never look at the gold tooth.",
        "take your time. The one who waits sells better than the one who shouts.",
    )
    t("The market was as loud as a [henhouse|brass band], and <sight>.")
    t("First came {dealer.named}, with a gold tooth and a great many words.")
    t.say(
        "dealer",
        "I give you this magic bean for the lot.",
        "two coppers, because I like your face.",
        "they are quite worthless, but I have a soft heart.",
    )
    if t.hero.temper in ("hasty", "shy", "kind") and t.chance(0.6):
        t.mark("sold too cheap")
        t(
            "{hero} did not like to say no. So {~hero} took what was offered, and only on the way "
            "home did {~hero} begin to reckon."
        )
        feel(t, "hero", "ashamed")
        t("{parent} did not scold. {parent} put the pay in a jar, and wrote on it: school money.")
        t.say("parent", "now you have been to school. It was a cheap lesson, as lessons go.")
        t(
            "The next time {hero} went to market, and {dealer.name} came smiling, {hero} smiled too, "
            "and said a number, and then said nothing at all."
        )
        t("It was the nothing that did it. {dealer.name} paid.")
        close(t, "mistake")
    else:
        t.mark("bargained well")
        t.say("hero", "if they are worthless, why do you want them?", "I am in no hurry. Are you?")
        t(
            "{dealer.name} laughed, and walked away, and came back, and walked away again.",
            "{dealer.name} threw up both arms, complained to the sky, went off and was back in a minute.",
        )
        t("{hero} sat down and ate {snack}, as if there were all the time in the world.")
        if t.chance(0.5):
            t.mark("taken by surprise")
            t(
                "Then came {elder.named}, and bought everything, at the proper price, without a word. "
                "{dealer.name} was left standing there with an open mouth."
            )
        else:
            t("The third time {dealer.he} paid what they were worth, and shook {hero.his} hand.")
        t(
            (
                "There was even enough left over for {a wish}. {hero} looked at it for a while, and "
                "bought a warm shawl for {parent.him} instead."
            ),
            (
                "With what was left over {hero} could have had {a wish}. {~hero.he} had it in "
                "{~hero.his} hand already. Then {~hero} put it back and chose a pair of thick slippers "
                "for {parent.him}."
            ),
        )
        close(t, "home")
