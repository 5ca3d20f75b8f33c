"""Finding the cause: of a clock that stops, and of things that vanish."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("nest", "tooth", "wound too tight", cast="people")
def stopped_clock(t: Teller) -> None:
    """The town clock stops, and the hero finds out why."""
    t.cast("elder", trade="clockmaker")
    opening(t, "One {time}, for the first time in a hundred years, the clock did not strike.")
    t(
        "The big clock above {public} had always told everybody when to get up and when to [eat|go home].",
        "In the middle of the {town} stood a tower with a big clock, and everybody lived by it.",
    )
    t(
        (
            "Then it stopped, at [ten|twenty] past [four|seven]. The [baker|milkman] was late, the "
            "school was early, and the dogs barked at noon."
        ),
        (
            "One day its hands stood still. Some people came for [lunch|dinner] at breakfast time, "
            "and two weddings got mixed up."
        ),
    )
    t(
        ("{elder} climbed up with a bag of tools, oiled every wheel and came down again, shaking {~elder.his} head."),
        (
            "{elder} spent a whole day up there with [pliers|brushes] and oil, and came down with "
            "black hands and a long face."
        ),
        "Up went {elder.named}, with a lantern and three screwdrivers. Down came {elder.named}, none the wiser.",
    )
    t.say("elder", "there is nothing wrong with it, and it will not go.", "I have done all that I know.")
    t.paragraph()
    t(
        "{hero}, who was [small|thin] enough, crept in behind the wheels with a candle.",
        '"Let me look," said {hero.name}. "I can get in where you can\'t."',
    )
    way = t.turn("nest", "tooth", "wound too tight")
    if way == "nest":
        t(
            (
                "Deep in the works, between two cogs, a pair of [sparrows|swifts|jackdaws] had built a "
                "nest. There were four eggs in it."
            ),
            (
                "There, among the wheels, sat a [wagtail|wren|swallow] on a nest of straw, and she "
                "looked {hero.him} straight in the eye."
            ),
            (
                "Two cogs were stuck fast with twigs and feathers. In the middle lay four warm eggs, "
                "each no bigger than a plum."
            ),
        )
        t.say(
            "elder",
            "take it out, and the clock will run.",
            "well, out with it, then.",
            "a nest! Hand it down to me, and we shall be done by noon.",
        )
        t.say(
            "hero",
            "and the eggs? Can't the clock wait? It has been right for a hundred years.",
            "if we move them, they will die. We can [ring the bell|tell the time] ourselves.",
        )
        t(
            "So {hero} rang a handbell every hour, from morning to night, for [three|four] weeks.",
            (
                "For a whole month {hero} was the clock. {~hero.he} walked through the streets with a "
                "bell and called out the hours."
            ),
            "So {hero} took the old school bell and struck the hours on the steps, sleet or shine.",
        )
        t(
            "On the day the last young bird flew, the great wheel gave a creak and began to turn all by itself.",
            (
                "Then, one bright morning, the nest was empty. {hero} lifted it out, and the pendulum "
                "gave a cough and began to swing."
            ),
            (
                "When the last of the chicks had tumbled out into the air, the clock cleared its throat "
                "and struck [nine|ten]."
            ),
        )
        close(t, "patience")
    elif way == "tooth":
        t(
            "One little wheel had lost a single tooth. It was no bigger than a grain of [rice|wheat].",
            "In the smallest of the wheels there was a gap where a tooth should have been.",
            "It was such a small thing: a single tooth of a single wheel, broken off and lying in the dust.",
        )
        t(
            (
                "{elder} had looked only at the big wheels. Now {~elder} filed a new tooth out of brass, "
                "and {hero} carried it in."
            ),
            (
                '"And I have been looking at the weights!" said {elder.named}. That night {~elder} cut a '
                "new tooth, no bigger than a crumb, and {hero} set it in."
            ),
        )
        t(
            "[Tick|Tock], said the clock, and everybody {at public} cheered.",
            "The big hands shuddered, and moved, and the pigeons flew up in surprise.",
            (
                "There was a click, then a whirr, and then the clock struck, and everyone {at public} "
                "took off their hats."
            ),
        )
        t.say(
            "elder",
            "I have been looking for a large mistake. I shall look for small ones from now on.",
            "big trouble, small cause. I ought to have known.",
            "you have good eyes. There is a stool in my workshop that nobody is using.",
        )
        close(t, "curiosity")
    else:
        t(
            "Nothing was broken. But the spring was wound so tight that it could not move at all.",
            "Every wheel was sound. But somebody had wound the spring until it was as hard as a board.",
        )
        t.say(
            "hero",
            "perhaps it is only tired. Everybody turns the key, and nobody lets it rest.",
            "it has been pulled too tight. I should stop, too.",
            "everybody winds it up, and nobody ever lets it down.",
        )
        t(
            (
                "{elder} laughed, let the spring go slack, and wound it again, [gently|not too much]. "
                "The clock began to tick."
            ),
            "{elder} turned the key backwards, a little at a time. There was a long sigh, and then a tick.",
        )
        t(
            "After that, on Sundays, the {town} let the clock rest, and itself as well.",
            "Since then the clock has stood still on Sundays, and nobody is late for anything.",
        )
        close(t, "patience")


@plot("accused the wrong one", "asked first", "jackdaw", "somebody hungry", "sleepwalker")
def thief(t: Teller) -> None:
    """Things vanish; clues point to somebody, and perhaps wrongly."""
    t.pick(stolen="stolen" if not t.hero.is_animal else "stolen_animal")
    t.cast("suspect", relation="neighbour")
    t.person("elder")
    opening(t, "On Monday there were twelve. On Tuesday there were eleven.")
    t(
        "Somebody was stealing {stolen} from {elder.him}. Every night there was one less.",
        "Every night one of the {stolen} vanished from the shelf of {elder.named}.",
    )
    t.say(
        "elder",
        "I lock the door. I count them twice. And in the morning one is gone!",
        "who does such a thing? I sit up, I fall asleep for a minute, and it has happened again.",
    )
    t(
        '"I shall catch the thief," said {hero.name}, and looked at the ground through a bit of glass.',
        '"Leave it to me," said {hero.name}, and put on a very serious face.',
    )
    t(
        (
            "There were crumbs. There were footprints, too, and they were small. They led in the "
            "direction of {suspect.named}."
        ),
        "On the window sill hung a thread of red wool. And who wore a red scarf? {suspect.named} did."
        if not t.hero.is_animal
        else "On a twig hung a tuft of fur, just the colour of {suspect.named}.",
    )
    t.paragraph()
    if t.hero.temper in ("hasty", "proud") or t.chance(0.3):
        t.mark("accused the wrong one")
        t.say("hero", "it was {suspect.named}! I have proof!", how="cried|shouted")
        t(
            "{suspect} did not say a word. {suspect.he} only grew very pale, and walked away, and "
            "nobody would sit next to {suspect.him} any more."
        )
        t(
            "But that night, while {suspect} was at home in bed, another one disappeared.",
            "And that very night it happened again, though {suspect} was ten miles away with an aunt.",
            (
                "But the next morning there was one less, and {suspect} had been in bed with a cold, "
                "with three witnesses."
            ),
        )
        feel(t, "hero", "ashamed")
    else:
        t.mark("asked first")
        t.say(
            "hero",
            "before I say anything, I shall ask. Was it you?",
            "people say that it was you. I would rather hear it from you.",
        )
        t.say(
            "suspect",
            "no. But I have been watching too, and I have seen something.",
            "it wasn't. But help me to sit up tonight, and we shall know.",
        )
    t(
        "So {hero} hid <spot> and waited until the moon stood over the trees.",
        "{hero} sat down <spot>, pinched {~hero.himself} to keep awake, and waited.",
        "That night {hero} kept watch <spot>. The moon rose, and nothing stirred.",
    )
    way = t.turn("jackdaw", "somebody hungry", "sleepwalker")
    if way == "jackdaw":
        t(
            (
                "There was a rustle. In at the gap came a jackdaw, picked one up, and flew off with it "
                "as calmly as a customer."
            ),
            (
                "Then a black shape slid in at the window, with a white eye. It was a jackdaw. It looked "
                "over the goods and took the best."
            ),
        )
        t(
            "They found the whole hoard {at high}. The bird had been planning a feast.",
            "{at high} they found it all, laid out in a neat row, like a shop.",
        )
    elif way == "somebody hungry":
        t(
            (
                "A small figure climbed in. It was a child from the other side of the hill, as thin as a "
                "rake, who had nothing at home."
            )
            if not t.hero.is_animal
            else (
                "A small figure crept in. It was a little shrew from the other side of the hill, as thin "
                "as a straw, who had nothing at home."
            )
        )
        t(
            "{elder} had come up behind them, quietly, and saw it too.",
            "{hero} felt a hand on {~hero.his} shoulder. {elder} stood there, and had seen everything.",
        )
        t.say(
            "elder",
            "so that is how it is. Whoever is hungry comes in by the door, from now on, and gets two.",
            "why did nobody tell me that there is somebody hungry? Come in. Sit down.",
            "there is a door for that, my dear, and it isn't locked for you.",
        )
    else:
        t(
            (
                "The door opened. In came {elder.named} {elder.himself}, fast asleep, in a long "
                "nightshirt, took one, ate it, and wandered off again."
            )
            if not t.hero.is_animal
            else (
                "The leaves parted. In came {elder.named} {elder.himself}, fast asleep, took one, ate "
                "it, and wandered off again."
            )
        )
        t(
            "The next morning nobody knew how to say it. Then {elder} felt the crumbs in {elder.his} "
            "own bed, and laughed louder than anybody."
        )
    if "accused the wrong one" in t.branches:
        t(
            "{hero} went to {suspect.him} that same day. It was the hardest walk of {~hero.his} life.",
            (
                "The worst was still to come. {hero} went to {suspect.him} and stood there, and wished "
                "for an earthquake."
            ),
        )
        t.say(
            "hero",
            "I was wrong about you, and I said it out loud. I shall say this out loud as well: I am sorry.",
            (
                "I said it in front of everybody, and it was not true. I am sorry. I'll say that in "
                "front of everybody, too."
            ),
        )
        t(
            "{suspect} thought about it for a while, and then moved over, so that {hero} could sit down.",
            "{suspect} looked at {hero.him} for a while. Then {~suspect} held out half of {~suspect.his} apple.",
        )
        close(t, "mistake")
    else:
        close(t, "curiosity")
