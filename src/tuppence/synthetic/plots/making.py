"""Things that somebody makes: they fail for a reason, and then succeed."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("sank", "tipped over", "came apart", "saved somebody", "sailed", season="summer")
def raft(t: Teller) -> None:
    """A raft fails for a reason, twice, before it floats."""
    t.person("friend")
    opening(t, "The raft floated beautifully for almost a minute.")
    t(
        "On the other side of the water, nobody had ever been. {hero} and {friend} wanted to see it.",
        (
            "There was an island in the middle of the water, with three trees on it. {hero} and "
            "{friend} had talked about it all year."
        ),
        ('"Over there," said {hero.name}, "nobody tells you to wash." {friend} agreed that one ought to go and see.'),
    )
    t.say("friend", "all we need is a raft.", "how hard can it be to build a boat?")
    first = t.turn("sank", "tipped over", "came apart")
    if first == "sank":
        t(
            (
                "They built it of [oak|green wood|old doors], because that was strong. It was so strong, "
                "and so heavy, that it went down like a stone."
            ),
            (
                "They took the heaviest beams that they could find. It was a splendid raft, and it went "
                "straight to the bottom."
            ),
        )
        t.say(
            "hero",
            "strong is not enough. It has to be light as well.",
            "it was a good raft for walking on. Now we need one for floating.",
        )
        t(
            "They tried again with [dry pine|willow|empty barrels].",
            "For the next one they used [reeds|cork|dry branches], as light as bread.",
        )
    elif first == "tipped over":
        t(
            (
                "The first raft was long and narrow. It floated, but when {friend} sneezed, it turned "
                "over, and there they were in the water."
            ),
            (
                "It was as narrow as a plank, because that looked faster. {friend} reached for the oar, "
                "and over they went."
            ),
        )
        t.say(
            "hero", "it ought to be as wide as it is long.", "a table does not fall over. We need a table, not a shelf."
        )
        t("The second one was as broad as a barn door.", "So they made it as wide as a bed.")
    else:
        t(
            (
                "They tied it together with [wool|daisy chains|old string], and halfway out it came "
                "apart, and each of them sailed off on a separate log."
            ),
            (
                "The knots looked well enough. But wet string stretches, and in the middle of the water "
                "the logs said goodbye to each other."
            ),
        )
        t.say("friend", "come back!", how="shouted|called")
        t(
            (
                "They swam home and looked for better rope. {elder} gave them [some|a coil], and showed "
                "them a knot that grows tighter when it is wet."
            ),
            (
                "They paddled back on a log apiece. {elder} had been watching, and threw them a proper "
                "rope, and taught them a knot to go with it."
            ),
        )
    t.paragraph()
    t(
        ("This time they tested everything first. {friend} jumped up and down on it, and {hero} pulled at every knot."),
        "They pushed it out with a stone on top, to see. It stayed [up|dry].",
    )
    if t.chance(0.5):
        t.mark("saved somebody")
        t(
            (
                "They were just about to start when they heard a cry. {elder} had slipped off the bank "
                "and was clinging to a branch."
            ),
            ("Then somebody called for help. {elder} had leaned out too far after a hat, and was being carried off."),
            (
                "They had hardly pushed off when there was a splash. It was {elder.named}, in up to the "
                "neck and not a swimmer."
            ),
        )
        t(
            (
                "They paddled with [planks|branches], harder than they had ever paddled, and {elder} "
                "crawled on board, dripping."
            ),
            (
                "There was no time to lose. They drove the raft across the current, and {hero} stretched "
                "out a pole, and {elder} caught it."
            ),
        )
        t.exchange(
            "elder",
            "hero",
            ("who built this?", "we did. It is the second one."),
            ("this is a well-made raft.", "we built it ourselves. You should have seen the first."),
        )
        t.say(
            "elder",
            "then I am glad that I did not fall in last week.",
            "then let us drink to the first one, too. It seems to have been worth it.",
        )
        close(t, "work")
    else:
        t.mark("sailed")
        t(
            "{hero} pushed off. The water gurgled under the logs, and <sight>.",
            "They were afloat! The bank slid away, and <sight>.",
        )
        t(
            "On the other side there was nothing but grass, a flat stone and a view of home. They "
            "ate {snack} there, and it was the best day of {season_name}."
        )
        close(t, "friendship")


@plot("too much salt", "too hasty", "secret ingredient", "warm place")
def baking(t: Teller) -> None:
    """A cake or a loaf will not turn out right, and there is a reason."""
    t.pick(bake="bake", feast="feast")
    opening(t, "Smoke came out of the oven, and {hero.name} came out of the smoke.")
    t(
        "For the {feast}, {hero} wanted to bake {a bake}, as {grand} always did.",
        "{grand} made the best {bake} {in_town}. Now {grand} was [ill|away], and {hero} wanted to make it.",
    )
    t(
        "{hero} mixed flour and eggs and butter, and hummed.",
        "How hard could it be? {hero} tied on an apron that was much too big.",
    )
    way = t.turn("too much salt", "too hasty", "warm place", "secret ingredient")
    if way == "too much salt":
        t(
            (
                "But there were two white jars on the shelf, and {hero} took the wrong one. {friend} "
                "tasted a piece and went green."
            ),
            "Salt and sugar look just the same, and {hero} did not taste first. {friend} did.",
        )
        t.say("friend", "how much salt is in it?")
        t.say("hero", "two cups. Of sugar, I thought.", "none! Only sugar. Oh.")
        t(
            "They gave it to the [goat|geese|pig], who did not mind, and wrote names on the jars.",
            "Even the hens would not touch it. They buried it behind the shed, and nothing has grown there since.",
        )
    elif way == "too hasty":
        t(
            (
                "It had to bake for an hour. {hero} opened the oven after five minutes, and after ten, "
                "and after twelve. The {bake} gave a sigh and sank in the middle."
            ),
            (
                '"Is it done?" {hero} asked the oven every three minutes, and opened the door to look. '
                "At the seventh time the {bake} fell in like a tent."
            ),
        )
        t.say(
            "grand",
            "it does not like to be watched. Nobody does, while they are growing.",
            "shut the door and go for a walk. It knows what to do.",
        )
    elif way == "warm place":
        t(
            "The dough would not rise. It lay in the bowl like a [wet towel|stone] and did not move.",
            "An hour went by, and the dough was as flat as before. It might have been a paving stone.",
        )
        t(
            (
                "{hero} scolded it. {friend} sang to it. <later> {hero} noticed the cat, who always "
                "slept in the warmest place in the house."
            ),
            (
                '"It is cold," said {friend.name}, and blew on {~friend.his} fingers. Of course it was! '
                "{hero} looked round for a warmer place, and there, on the stove, lay the cat."
            ),
        )
        t(
            (
                "They put the bowl there, and the cat next to it, and soon the dough lifted its cloth "
                "like a [hat|ghost]."
            ),
            "The cat moved over, not very willingly. In half an hour the dough was looking over the edge.",
        )
    else:
        t(
            "It looked the same as always, but it did not taste the same. Something was missing.",
            (
                "{hero} did everything as it was written down, and yet it was not right. It lacked "
                "something, as a song does without the second voice."
            ),
        )
        t(
            (
                "{hero} tried [cinnamon|honey], and then [nutmeg|lemon]. It was better, and it was still "
                "not right. So {~hero} asked."
            ),
            (
                "There were eleven jars on the shelf, and {hero} tried a pinch of each. In the end there "
                "was nothing left to do but ask."
            ),
        )
        t.say(
            "grand",
            (
                "I put in what is left at the bottom of the jam pot. I have never told anybody, because "
                "nobody ever asked."
            ),
            "it isn't in the book. One spoonful of cold tea. My mother thought of it, or dropped it in.",
        )
    t.paragraph()
    t(
        (
            "The [second|third] {bake} came out [golden brown|high and round], and the smell of it "
            "went through the whole {town}."
        ),
        "This time it rose, and browned, and people stopped in the street and sniffed.",
        (
            "Then {~hero} lifted out the [second|third] {bake}, and it was as it should be, and "
            "nobody said a word for a moment."
        ),
    )
    t("At the {feast} there was not a crumb left.", "People came from three doors away, to ask what it was.")
    feel(t, "hero", "proud")
    t.say(
        "grand",
        "I could not have done it better. Well, perhaps a little.",
        "it is different from mine. Good. Now there are two.",
    )
    close(t, "patience" if way in ("too hasty", "warm place") else "work")
