"""Lost in the fog, and lost in the snow."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("church bell", "stream", "breadcrumbs failed", "an old kindness", weather="foggy", season="autumn")
def lost_in_fog(t: Teller) -> None:
    """Somebody loses the way, and finds it by thinking or by a friend made earlier."""
    opening(t, "{hero.name} could see {hero.his} own feet, and nothing else at all.")
    kind = t.chance(0.4)
    if kind:
        t("On the way {to wild} {hero} found a [crow|young crow] with its foot caught in a string, and set it free.")
        t("It did not say thank you. It only looked at {hero.him} with one black eye and flew away.")
    else:
        t(
            "{hero} went {to wild} to look for [mushrooms|nuts|blackberries], and always saw a "
            "better place, a little further on."
        )
    t(
        "Then the fog came. It ate the hill, and the path, and at last the tree that {hero} was leaning on.",
        "When {~hero} turned to go home, the fog had closed behind {hero.him} like a curtain.",
    )
    if t.chance(0.4):
        t.mark("breadcrumbs failed")
        t(
            "{hero} had marked {~hero.his} way with [crumbs|berries], as they do in the tales. But "
            "the birds knew that tale too, and had eaten every one."
        )
    t(
        "{hero} called, and the fog put the call in its pocket.",
        "{hero} walked and walked, and came back to the same stump.",
    )
    feel(t, "hero", "afraid")
    t.paragraph()
    if kind:
        t.mark("an old kindness")
        t("Then something cawed, quite near. A crow sat on a branch, with a bit of string still on its foot.")
        t("It flew a little way and waited. {hero} came after. It flew on, and waited again, grumbling.")
        t(
            "So they went, from branch to branch, until {hero} could smell smoke, and somebody was "
            "calling {~hero.his} name."
        )
        close(t, "kindness")
        return
    way = t.turn("church bell", "stream")
    if way == "church bell" and not t.hero.is_animal:
        t('"If I can\'t see, I must listen," thought {hero.name}, and stood still, and held {~hero.his} breath.')
        t(
            "Far away a bell struck [six|seven]. {hero} took ten steps, and the next stroke was "
            "fainter. So {~hero} turned round."
        )
        t("Every quarter of an hour it struck, and every time it was a little nearer and a little louder.")
    else:
        t.branches[-1] = "stream"
        t(
            '"Water always knows where it is going," {grand} used to say. {hero} knelt down and felt '
            "for the wettest place in the grass."
        )
        t(
            "There was a trickle, no wider than a finger. {hero} kept one foot in it and walked. It "
            "became a [ditch|brook], and the brook grew loud."
        )
    t(
        "And then there was a light, and a door, and {parent} running.",
        "Then {hero} bumped into something hard. It was {~hero.his} own gate."
        if not t.hero.is_animal
        else "Then {hero} bumped into something hard. It was the old stone by {~hero.his} own front door.",
    )
    t.say(
        "parent",
        "where have you been? I have called until I was hoarse.",
        "you are as wet as a fish! Come in, come in.",
    )
    t(
        "That night {food} tasted better than ever before.",
        "Never before had there been such a supper, though it was only {food}.",
    )
    close(t, "home")


@plot("bell", "dog", "counted again", cast="people", season="winter", weather="snowy")
def lost_lamb(t: Teller) -> None:
    """One of the flock is missing in bad weather."""
    t.cast("elder", trade="shepherd")
    t.pick(dog="dog_name")
    opening(t, "Ninety-eight, ninety-nine, and then there were no more.")
    t(
        "{hero} was helping {elder.him} to bring the sheep down before the big snow.",
        "That winter {hero} looked after the flock, because {elder} had a bad knee.",
    )
    t(
        "There ought to have been a hundred. {hero} counted them through the gate, and there were ninety-nine.",
        (
            "A hundred had gone up in spring. {hero} touched each woolly back as it went through the "
            "gate, and said the number aloud. The last number was ninety-nine."
        ),
    )
    if t.chance(0.4):
        t.mark("counted again")
        t(
            "{hero} counted again, and then once more, in the other direction. It made no difference.",
            "{hero} let them all out and counted them in again. It came to the same.",
        )
    t.say(
        "elder",
        "it is getting dark. We can't go up there again. One is only one.",
        "let it be. I will not lose a child to save a lamb.",
    )
    t.say("hero", "it is not only one to its mother.", "I know where it is. I saw it {at wild}. Please.")
    t(
        "{elder} sighed and took down the lantern.",
        "{elder} said nothing for a bit. Then {~elder} reached for {~elder.his} stick.",
        '"Put on two pairs of stockings, then," said {elder.named}.',
    )
    t.paragraph()
    t(
        "The snow came up to their knees, and <sky>.",
        "They had to feel for the path with their feet. <sky>.",
        "Every step took the strength of three, and <sky>.",
    )
    way = t.turn("bell", "dog")
    if way == "bell":
        t(
            (
                "In autumn {hero} had tied a little bell round the neck of the smallest lamb, because "
                "{~hero} liked the sound. Everybody had laughed at it."
            ),
            (
                "It was the smallest of them all, the one with the bell. {hero} had hung it on "
                "{~hero.himself}, on a red ribbon, and been laughed at."
            ),
        )
        t(
            (
                "Now they stood still and listened. There! It was no more than a drop of sound, but "
                "{hero} knew it at once."
            ),
            '"Hush!" said {hero.name}. They held their breath. Very faintly, something tinkled under the snow.',
            "The wind dropped for a moment, and in that moment they heard it: ting.",
        )
        t(
            "It led them to a drift. Under it, in a hollow that its own breath had made, lay the lamb.",
            (
                "There was a mound that looked like any other. They dug with their hands, and there, in "
                "a little cave of its own warmth, lay the lamb."
            ),
        )
    else:
        t(
            "They had taken {dog}, the old dog, who was half blind and good for nothing any more, as people said.",
            (
                "{dog} had come along, though nobody had called. {dog} was fourteen and slept all day, "
                "and it was said that such a dog was only a mouth to feed."
            ),
        )
        t(
            "But a nose does not need eyes. {dog} pulled to the left, whined, and began to dig.",
            (
                "Suddenly {dog} stopped, with one paw in the air, and would not be moved. Then it threw "
                "itself at the snow."
            ),
            ("Old as it was, {dog} ploughed straight through the drift, and barked, which it had not done for a year."),
        )
        t(
            ("There was the lamb, [stiff|cold] with snow, but it lifted its head. {dog} licked it until it bleated."),
            (
                "Two ears came to light, and then a cold black nose. {dog} lay down beside it to warm "
                "it, as if it had been a pup."
            ),
        )
    t(
        "{hero} carried it down under {~hero.his} coat, where two hearts kept each other warm.",
        "They took turns to carry it, and it fell asleep on the way.",
        "All the way down {hero} talked to it, so that it should not sleep too deep.",
    )
    t.say("elder", "one hundred. I have never been so glad of a number.", "I was wrong. One is a great many.")
    close(t, "kindness" if way == "bell" else "friendship")
