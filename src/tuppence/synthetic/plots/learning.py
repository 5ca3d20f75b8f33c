"""Things that take time: seeds in the ground, and a skill that is hard to learn."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("dug it up", "frost", "slugs", "shared the harvest", season="spring")
def garden(t: Teller) -> None:
    """Seeds are planted, and the hero cannot wait, or something comes to eat them."""
    t.pick(crop="crop")
    opening(t, "Nothing was growing. {hero.name} had looked ten times since breakfast.")
    t(
        "{elder} gave {hero.him} a handful of seeds, as small as [fleas|crumbs].",
        "In a drawer {hero} found a paper bag with seeds in it, and no name on it.",
    )
    t.say(
        "elder",
        "put them in the ground, water them and wait. The waiting is the hard part.",
        "a finger deep and a hand apart. After that, leave them be.",
        "earth, water, sun. You need do nothing else, and that is the hardest.",
    )
    t(
        (
            "{hero} dug a bed, drew a line with a stick and laid the seeds in it, one by one. Then "
            "{~hero} sat down and watched."
        ),
        (
            "{hero} broke up the earth, picked out the stones and pressed in every seed with "
            "{~hero.his} thumb. Then {~hero} brought a chair."
        ),
    )
    t.paragraph()
    way = t.turn("dug it up", "frost", "slugs")
    if way == "dug it up":
        t(
            (
                "On the third day {hero} could bear it no longer and dug one up, to see. It had a tiny "
                "white root, which broke."
            ),
            (
                "{hero} only wanted to see whether they were still alive. There was one thin white "
                "thread, and then it snapped."
            ),
        )
        t.say(
            "elder",
            "would you like to be woken up every day and asked if you had grown?",
            "and how would you grow, if somebody pulled you up by the feet every morning?",
        )
        t(
            (
                "{hero} put the spade away and did other things. {~hero.he} went out to {doing}, and did "
                "not look for a whole week."
            ),
            (
                "After that {hero} went past with {~hero.his} eyes shut, and found something else to do. "
                "It is possible to {doing} and wait at the same time."
            ),
        )
    elif way == "frost":
        t(
            "They came up on the tenth day, two leaves each. And that night the stars were far too bright.",
            (
                "Then there were green tips, in a row, like a sentence. But that evening the sky was "
                "clear, and it grew cold."
            ),
        )
        t.say(
            "elder",
            "there will be a frost. It will kill them all.",
            "smell that? It will freeze tonight. They won't live through it.",
            "cover them up. By morning it will be white out here.",
        )
        t(
            "{hero} ran from door to door and borrowed [jars|flowerpots|old hats], one for every "
            "plant. In the morning the grass was white, but underneath it was green."
        )
    else:
        t(
            "They came up, and the next morning half of them were gone. A silver trail led away through the bed.",
            (
                "On Tuesday there were forty little plants, and on Wednesday there were nineteen. "
                "Something had come in the night, and it had left a shining track."
            ),
        )
        t(
            "{hero} sat up with a lantern and counted [forty|sixty-two] slugs. {friend} wanted to squash them.",
            (
                "That night {hero} went out with a candle. There they were, fat and brown and chewing. "
                "{friend} fetched a bucket."
            ),
        )
        t.say(
            "hero",
            "they are only hungry. Let us plant them a row of their own, over there.",
            "they can't help being slugs. Couldn't they have a garden, too?",
        )
        t(
            (
                "They planted lettuce by the hedge, and carried the slugs across, every night for a "
                "week. After that the slugs went there by themselves."
            ),
            (
                "So the slugs were given all the outer leaves, far off by the wall, and after a few "
                "nights they knew their own table."
            ),
        )
    t.paragraph()
    t(
        (
            "By [June|July] there were flowers, and in [August|September] there were {crop}, more "
            "than anybody could eat."
        ),
        "In the summer the plants stood higher than {hero.his} head, and then they were heavy with {crop}.",
    )
    t.mark("shared the harvest")
    t(
        "{hero} took a basket to everybody who had helped, and to some who had not.",
        "{friend} helped to carry them, and {elder} got the [biggest|first] ones.",
    )
    close(t, "patience" if way != "slugs" else "sharing")


@plot("listened", "taught somebody", "different way")
def learning(t: Teller) -> None:
    """A skill cannot be learned until somebody sees why."""
    t.pick(skill="skill")
    opening(t, "{hero.name} tried for the hundredth time, and for the hundredth time it went wrong.")
    t(
        "Everybody {at public} could {skill}. Everybody but {hero}.",
        "{hero} had set {hero.his} heart on one thing: {hero.he} wanted to {skill}.",
    )
    t(
        "{friend} had learned it in an afternoon. {hero} had been trying since the year before.",
        "{friend} said that there was nothing to it. {hero} had heard that before.",
    )
    t(
        (
            "[The first|One] time {hero} tried too hard. Another time {~hero} was too tired. And "
            "once it nearly worked, and that was worse."
        ),
        "It went wrong on Monday, and it went wrong on Tuesday, and on Wednesday it went wrong in a new way.",
    )
    feel(t, "hero", "angry")
    t.say("hero", "I shall never be able to {skill}!", "I give up. I'm too stupid for it.")
    t.paragraph()
    t("{elder} had been watching.", "Then {elder} came by and stopped.")
    way = t.turn("listened", "taught somebody", "different way")
    if way == "listened":
        t.say(
            "elder",
            "you do it all at once. Do only the beginning, until the beginning is bored.",
            "you hold your breath. Nobody can {skill} without breathing.",
        )
        t(
            ("{hero} did only that, and nothing else, for a whole {time}. It looked silly, and it felt like nothing."),
            (
                "So for once {hero} did not try to {skill}. {~hero.he} only did the first little piece "
                "of it, over and over."
            ),
        )
        t(
            "Then, all by itself, the rest came after it.",
            "And suddenly, while {~hero} was thinking of something else, {~hero} did it.",
            "It came like a shy animal: as soon as {hero} stopped looking at it.",
        )
    elif way == "taught somebody":
        t.say(
            "elder",
            "would you do me a favour? The little one next door wants to {skill}. Could you teach it?",
            "there is somebody even smaller who cannot do it either. Will you help?",
        )
        t.say("hero", "me? But I can't do it.", "how can I? I don't know how to {skill} myself.")
        t.say(
            "elder",
            "then you will know exactly what is hard about it.",
            "all the better. Those who can do it have forgotten how.",
        )
        t(
            (
                "So {hero} explained it, slowly, step by step, and showed how each step went. By the "
                "time {~hero} came to the end, {~hero} had done it without noticing."
            ),
            (
                "To explain a thing, one has to go slowly. {hero} went slowly, and noticed on the way "
                "what {~hero} had always left out."
            ),
        )
    else:
        t.say(
            "elder",
            "why do you do it with your right, when you do everything else with your left?",
            "who says that it must go the way {friend} does it?",
        )
        t(
            (
                "{hero} had never thought of that. {~hero.he} turned round and tried it the other way. "
                "It was wobbly, but it worked."
            ),
            "{hero} stared. Then {~hero} changed over, and it was as if a knot had come undone.",
        )
    t.paragraph()
    t(
        (
            "That evening {hero} could not be stopped. {hero} showed it to {friend.him}, to "
            "{parent.him} and to everybody who came by."
        ),
        "{hero} did it before supper and after supper, and once in {~hero.his} sleep.",
    )
    feel(t, "hero", "proud")
    close(t, "patience")
