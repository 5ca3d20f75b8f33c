"""Things that break: who says so, who mends them, and how."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, journey, opening, think
from tuppence.synthetic.teller import Teller


@plot("owned up", "hid it", "friend was blamed", "mended", "replaced by work")
def broken_thing(t: Teller) -> None:
    """Somebody breaks a valuable thing of somebody else; sooner or later it becomes known."""
    t.thing("thing", "glass")
    opening(t, "There was a crash, and then a silence that was even [louder|worse].")
    t(
        "On the shelf of {elder.named} stood {a thing}, and nobody was allowed to touch it.",
        "{elder} had {a thing} that had come from far away, wrapped in straw.",
    )
    t(
        "That {time} {hero} only wanted to [hold it up to the light|see it from behind|dust it]. It slipped.",
        "{hero} was playing catch with {friend.him} when the ball flew wide. There was a crash.",
        "{hero} reached for a [book|cup] on the shelf, and {~hero.his} sleeve caught it.",
    )
    t(
        "{the thing} lay on the floor in [three|five|a hundred] pieces.",
        "In a moment {the thing} was nothing but splinters.",
    )
    t.paragraph()
    if t.hero.temper in ("hasty", "proud", "shy") or t.chance(0.3):
        t.mark("hid it")
        t(
            "{hero} swept the pieces [under the rug|into a sack] and tiptoed out.",
            "Quick as a [mouse|wink], {hero} hid the pieces <spot>.",
        )
        if t.chance(0.5):
            t.mark("friend was blamed")
            t(
                "But {friend} had been seen near the door, and everybody thought that {friend.name} had done it.",
                ("But somebody had seen {friend.him} near the door, and so everybody said that it was {friend.name}."),
                "Before long people were pointing at {friend}, who had only passed by.",
            )
            t.say("friend", "I never touched it!", "it wasn't me, and nobody believes me!")
        else:
            t(
                ("{elder} looked for {the thing} [high and low|all day long] and grew [sadder|quieter] by the hour."),
                "{elder} searched every cupboard for {the thing}, and then searched them all again.",
                '"It must be somewhere," {elder} kept saying, and looked in the oddest places.',
            )
        feel(t, "hero", "ashamed")
        t(
            (
                "That night {hero} dreamed of [broken glass|a broom that pointed at {~hero.him}]. In the "
                "morning {~hero} could bear it no longer."
            ),
            "All day long the secret [sat on {hero.his} shoulders|followed {hero.him} about].",
        )
        t(
            "So {hero} went to {elder.him} and told everything, from beginning to end.",
            ("{hero} knocked at the door of {elder.named} and told the whole tale before the door was properly open."),
            "Then {~hero} ran to {elder.him}, and out it all came, as water comes out of a jug.",
        )
    else:
        t.mark("owned up")
        t(
            "{hero.his} first thought was to run. {hero.his} second was better.",
            "{hero} could have run away. {~hero.he} looked at the door, and stayed.",
            "For a moment {hero} thought of the cat, who might have done it. Then {~hero} let the cat alone.",
        )
        t.say(
            "hero",
            "I broke it. I am so sorry.",
            "it was me. I was careless, and it fell.",
            how="said|whispered|blurted out",
        )
    t(
        "{elder} was silent for [a while|as long as it takes to count to ten].",
        "{elder} looked at the pieces and did not speak.",
        "It was so quiet that one could hear the fly on the window.",
        "{elder} breathed in, and breathed out, and sat down.",
    )
    t.say(
        "elder",
        "I would rather have a broken [dish|thing] than a broken word.",
        "it was only glass. I am glad that you came to me with the truth.",
        "that was hard to say. Now let us see what can be done.",
    )
    t.paragraph()
    if t.chance(0.5):
        t.mark("mended")
        t(
            "They sat down together with a pot of glue and [a great deal of patience|two pairs of tweezers].",
            "They sorted the pieces on the table like a puzzle, and glued them one by one.",
        )
        t(
            "When it was done, {the thing} had [gold|fine dark] lines all over it, like a [leaf|map].",
            "When they held it up, there were [gold|thin] seams across {the thing}, like rivers seen from a hill.",
            "{the thing} was whole again, with one small chip missing, about the size of a lentil.",
        )
        t.say("elder", "now it has a story. I like it better.", "it never had such an interesting face before.")
    else:
        t.mark("replaced by work")
        t(
            (
                "It could not be mended. So every {time} for [a week|a month], {hero} came to [sweep the "
                "floor|carry wood|water the beans]."
            ),
            (
                "There was no glue for that. So {hero} came every {time} for [a fortnight|ten days] and "
                "[scrubbed the steps|stacked the firewood|fed the ducks]."
            ),
            (
                "Some things cannot be mended, only paid for. {hero} [weeded|swept|polished] for "
                "{elder.him} until the new moon."
            ),
        )
        t(
            (
                "With the wages {hero} bought another. It was not as [fine|old], but {elder} put it in "
                "the same place on the shelf."
            ),
            (
                "What {hero} earned was just enough for another. It was plainer, but {elder} gave it the "
                "best place on the shelf."
            ),
        )
        t.say(
            "elder",
            "this one I shall really look after. I know what it cost.",
            "I like this one better. The first was only given to me.",
            "well, it has a better story than the old one.",
        )
    close(t, "honesty")


@plot("sewed badly", "asked for help", "made something new")
def torn_coat(t: Teller) -> None:
    """A borrowed garment is torn just before it is needed."""
    t.pick(garment="garment")
    t.person("friend")
    opening(t, "It began with a small sound, no louder than a sneeze: rrrip.")
    t(
        "For the [feast|wedding|parade] {friend} had lent {hero.him} {a garment}.",
        "{hero} had borrowed {a garment} from {friend.him} and promised to take good care of it.",
    )
    t(
        "On the way past {wild}, a [thorn|nail|branch] caught it and tore it from top to bottom.",
        "{hero} climbed over a fence to save time, and the fence kept half of it.",
    )
    feel(t, "hero", "ashamed")
    t.paragraph()
    t(
        "There was one evening left. {hero} borrowed a needle.",
        "{hero} found a needle, but nobody had ever shown {~hero.him} how to use it.",
    )
    t(
        "The first seam [wandered about like a lost sheep|puckered]. The second one sewed the sleeve shut.",
        (
            "The thread tied itself in knots, and the first seam looked like a [road over the "
            "moor|row of crooked teeth]."
        ),
        "{hero} pricked every finger. When the seam was done, the {garment} had shrunk by a third.",
    )
    way = t.turn("asked for help", "made something new")
    if t.hero.temper in ("proud", "hasty"):
        t.mark("sewed badly")
        t(
            "Still {hero} would not ask for help, until the thread was one great knot.",
            '"I can do it," {hero} said, through {~hero.his} teeth, and went on until it was worse than before.',
            "Three times {hero} could have asked, and three times {~hero} was too proud.",
        )
    if way == "asked for help":
        journey(t, "hero", "public")
        t(
            "{elder} was just closing up for the night.",
            "{elder} was just putting out the lamp.",
            "There was still a light in the window of {elder.named}.",
        )
        t.say(
            "hero",
            "please, can you show me how? I don't want you to do it for me.",
            "could you teach me one straight seam?",
        )
        t.say(
            "elder", "sit down. Small stitches, and breathe.", "a straight seam is only one good stitch after another."
        )
        t(
            (
                "They worked by lamplight until [the owls called|midnight]. In the end one had to look "
                "twice to find the tear."
            ),
            (
                "{elder} held the lamp and {hero} held the needle. By [midnight|the second candle] "
                "nobody could have found the place."
            ),
            "Stitch by stitch it closed, like a wound that heals.",
        )
        t(
            "{hero} showed it to {friend.him} all the same.",
            "All the same, {hero} took it to {friend.him} and pointed to the place.",
            (
                "{hero} might have kept quiet about it. But {~hero} turned the lining out and showed "
                "{friend.him} where it had been."
            ),
        )
        t.say("friend", "I would never have seen it.", "it is stronger there now than anywhere else.")
        close(t, "honesty")
    else:
        think(t, "hero")
        t(
            "If the tear could not be hidden, then it must be seen! {hero} cut [leaves|stars|fishes] "
            "out of an old [curtain|tablecloth] and sewed them along it."
        )
        t(
            "When {friend} saw it, {~friend} did not speak for a moment.",
            "{friend} looked at it for so long that {hero} began to hop from foot to foot.",
            "{friend} put a finger on it, and said nothing.",
        )
        t.say(
            "friend",
            "is that mine? It is beautiful.",
            "it was quite plain before. I love it.",
        )
        t(
            "By the end of the [week|evening] everybody wanted one just like it.",
            "Soon half the {town} was asking where one could get such a thing.",
            "The next time, {friend} tore something on purpose and brought it along.",
        )
        close(t, "mistake")
