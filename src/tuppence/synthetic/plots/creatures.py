"""Wild animals that are taken in, and later set free."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("let go", "owner came", "came back", "stayed", cast="people")
def foundling(t: Teller) -> None:
    """A hurt animal is nursed, and then the hero has to decide."""
    t.pick(creature="wild_creature", pet="pet_name")
    opening(t, "Something moved in the ditch.")
    t(
        "{hero} found {a creature} {at wild}. Its [leg|foot] was hurt, and it was too weak to run away.",
        (
            "It was {friend.named} who heard the whimper, and {hero} who crawled in and brought it "
            "out: {a creature}, thin and shaking."
        ),
    )
    t(
        "{hero} wrapped it in {~hero.his} [scarf|jersey] and carried it home.",
        "{hero} buttoned it up inside {~hero.his} jacket, where it trembled against {~hero.his} ribs.",
        "It weighed no more than a [loaf|shoe], and {hero} carried it home with both arms.",
    )
    t.say(
        "parent",
        "you may keep it until it is well. Not a day longer.",
        "it is a wild thing. Don't lose your heart to it.",
    )
    t(
        "{hero} called it {pet}, which was a mistake, because whoever has a name has a place at the table.",
        "{hero} did not mean to give it a name. But on the second day it was called {pet}.",
    )
    t.paragraph()
    t(
        (
            "{hero} fed it [every two hours|with a spoon], and slept on the floor beside it. {elder} "
            "showed {hero.him} how to bandage the leg."
        ),
        (
            "{hero} made it a bed of rags behind the stove and got up three times a night. {elder} "
            "came to look at the leg and put a splint on it."
        ),
        (
            "It would only eat what {hero} had chewed first, and so {hero} chewed. {elder} brought "
            "some ointment that smelled of tar."
        ),
    )
    t(
        (
            "On the first day {pet} bit {hero.him}. On the fifth it took [milk|bread] from "
            "{hero.his} hand. On the tenth it followed {hero.him} round the kitchen."
        ),
        (
            "At first {pet} hid behind the wood box and hissed. Then it ate when {hero} looked away. "
            "Then it ate when {hero} looked."
        ),
        (
            "{pet} trusted nobody. It took a week before it stopped shivering, and a second week "
            "before it put its head on {hero.his} knee."
        ),
    )
    way = t.turn("let go", "owner came", "came back", "stayed")
    if way == "owner came":
        t(
            ("Then there was a knock. A [child|small boy|small girl] stood there, with a piece of rope and red eyes."),
            (
                "Then, one evening, somebody stood at the gate. It was a [girl|boy] with muddy knees, "
                "who had been looking for nine days."
            ),
            (
                "A notice hung on the tree {at public}, in a child's hand. Underneath was a drawing, and "
                "{hero} knew it at once."
            ),
        )
        t('"I\'m looking for somebody," the child said. "{pet} is not its name, but I think it is mine."')
        t(
            "{hero} felt the room go cold. {hero.he} could have said no. Nobody would have known.",
            "{hero} held on to the door. It would have been so easy to shake one's head.",
            "It went through {hero.him} like a splinter. {~hero.he} had only to keep quiet.",
        )
        t.say(
            "hero",
            "it is in here. It likes to have its ears scratched.",
            "it has been waiting for you. Come in.",
            how="said slowly|said",
        )
        t(
            "{pet} flew across the kitchen, and that was the answer to everything.",
            "One small cry, and {pet} had jumped over the table. There was nothing more to ask.",
            "{pet} knew the voice. It was through the door before it was open.",
        )
        t(
            "But the child came back the next day, and the day after that, and never alone.",
            "From then on there were two of them at the gate every {time}, one with four legs.",
        )
        close(t, "honesty")
    else:
        t(
            "By the end of {season_name} it was well. It stood at the window and looked out, {to wild}.",
            ("The leg healed. {pet} ran up and down the stairs now, and sat for hours with its nose towards {wild}."),
            "When the bandage came off, {pet} tried a step, and then a jump, and then looked at the window.",
        )
        t.say("parent", "you know what it wants.", "I am afraid it is time.")
        t(
            "{hero} knew. They went back, to the very spot. {hero} set it down and opened {~hero.his} arms.",
            "{hero} carried it back to the place where it had all begun, and walked as slowly as {~hero} could.",
            "It was a long way {to wild}, and not long enough. {hero} knelt down and let go.",
        )
        if way == "stayed":
            t(
                (
                    "{pet} took three steps, sniffed the air and looked round. Then it yawned, turned back "
                    "and sat down on {hero.his} shoe."
                ),
                (
                    "{pet} went as far as the first bush. Then it seemed to think of its supper. It came "
                    "back at a trot and climbed into {hero.his} lap."
                ),
            )
            t.say("parent", "well. I said that it might stay until it was well. I did not say how well.")
            close(t, "home")
        elif way == "came back":
            t(
                "It was gone in a flash, and did not look back once. {hero} cried all the way home.",
                "It shot off like an arrow, and there was nothing left but a few hairs on {hero.his} sleeve.",
            )
            t(
                (
                    "But a year later, on the first day of {season_name}, there was a scratching at the "
                    "door. It was {pet}, with three little ones behind."
                ),
                (
                    "The next {season_name}, when {hero} opened the door, somebody was sitting on the step. "
                    "It was {pet}, a good deal fatter, and it had not come alone."
                ),
            )
            t(
                (
                    "They stayed for as long as it takes to eat {food}, and then they were gone again. It "
                    "was quite enough."
                ),
                (
                    "They looked at {hero.him}, and {hero} looked at them, and nobody moved. Then they went, "
                    "without any hurry."
                ),
            )
            close(t, "kindness")
        else:
            t(
                "For a moment {pet} stood quite still. Then the grass closed behind it.",
                (
                    "{pet} looked at {hero.him} once, over its shoulder, as one looks at a house where one "
                    "has been happy."
                ),
                "The bracken shook, further and further off, and then it was still.",
            )
            t('"Goodbye," said {hero.name}, and {~hero} did not call it back.')
            t(
                "Sometimes, at dusk, something called from {wild}, and {hero} was almost sure who it was.",
                "When the wind stood right, {hero} sometimes heard a call from {wild}, and left the window open.",
            )
            close(t, "kindness")


@plot("hatched", "was a goose", "learned to fly", season="spring")
def strange_egg(t: Teller) -> None:
    """An egg is found and kept warm, and what comes out is not what was expected."""
    t.pick(pet="pet_name")
    t.person("friend")
    opening(t, "The egg was still warm.")
    t(
        "{hero} found it {at wild}, <spot>: an egg, large and [speckled|greenish|blue], and no nest far or near.",
        "After a windy night an egg lay in the grass {at wild}. {hero} nearly stepped on it.",
    )
    t.exchange(
        "friend",
        "hero",
        ("put it back.", "back where? There is nobody there. I shall keep it warm."),
        ("what is in it, do you think? A dragon?", "we shall see. First it must be kept warm."),
    )
    t(
        (
            "It is not easy to be a hen. {hero} could not {doing}, and could not run; {hero.he} kept "
            "the egg under {~hero.his} chin and told it stories."
        ),
        (
            "{hero} carried it in a nest of wool and slept curled round it. Everybody smiled about "
            "it behind {hero.his} back."
        ),
    )
    t.paragraph()
    t.mark("hatched")
    t(
        (
            "On the [ninth|twelfth] night something knocked, from the inside. A crack ran across, "
            "and out came a beak, and then an angry little head."
        ),
        (
            "It was in the middle of the night that {hero} felt it move. There was a tap, and a "
            "crack, and a wet little face that looked extremely cross."
        ),
        (
            "Then came a morning when the egg said: peep. By noon there was a hole in it, and by "
            "evening there was somebody in the straw."
        ),
    )
    t(
        "It looked at {hero.him}, and there was no doubt about what it thought. It thought: Mother.",
        (
            "It blinked at {hero.him} twice and made up its mind. Whoever had kept it warm was its "
            "mother, and that was that."
        ),
    )
    t(
        "They named it {pet}. It ate everything, and it followed {hero.him} everywhere.",
        "{hero} called it {pet}. It wanted to be fed every hour, and it screamed whenever {hero} left the room.",
        (
            "It was given the name of {pet}, and it walked behind {hero.him} wherever {~hero} went, "
            "like a small, wet shadow."
        ),
    )
    if t.chance(0.6):
        t.mark("was a goose")
        t(
            (
                "It grew, and its neck grew, and it turned into a goose, and a very [proud|noisy] one. "
                "It chased the fox and bit the umbrella of {elder.named}."
            )
            if not t.hero.is_animal
            else (
                "It grew, and its neck grew, and it turned into a goose, and a very [proud|noisy] one. "
                "It even chased {elder.him} into the brook."
            )
        )
        t.exchange(
            "elder",
            "hero",
            ("that bird has no manners.", "I brought it up myself. I'm new to it."),
            ("who brought up this bird?", "I did. I am sorry. It was my first."),
        )
    t(
        "But in autumn the wild geese passed over, and {pet} stood with its head on one side and listened.",
        (
            "Then the leaves fell, and one evening there was a clamour in the sky. {pet} stood in "
            "the grass with its neck stretched out, quite still."
        ),
    )
    t.mark("learned to fly")
    t(
        (
            "It had never learned to fly, for nobody had shown it how. So {hero} ran down the hill "
            "with flapping arms, again and again, and {pet} ran behind."
        )
        if not t.hero.is_animal
        else (
            "It had never learned to fly, for nobody had shown it how. So {hero} jumped off a log, "
            "flapping wildly, again and again, and {pet} jumped after."
        )
    )
    t(
        (
            "{friend} laughed until {friend.he} fell over. But at the [tenth|hundredth] try only one "
            "of them came down again."
        ),
        (
            "{friend} was no help, because {~friend} was laughing too much. But one windy day {pet} "
            "ran, and flapped, and forgot to come down."
        ),
        (
            "It took a week and cost a great many bruises. Then, all at once, only one of the two "
            "was still on the ground."
        ),
    )
    feel(t, "hero", "proud")
    t(
        (
            "{pet} circled once above the {town}, and called, and joined the others. And every year, "
            "when the geese go over, one of them calls twice."
        ),
        (
            "{pet} flew one great ring round the {town}, so low that {hero} felt the wind of its "
            "wings. Then it was one of many, and then it was too far to see."
        ),
    )
    close(t, "home")
