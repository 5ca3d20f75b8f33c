"""Storm, snow and drought, and what people do about them."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("heeded", "laughed at", "lamp", "bell", "rope", cast="people", season="autumn", weather="windy")
def storm(t: Teller) -> None:
    """A sign of bad weather is seen by one; somebody is still out there when it breaks."""
    t.pick(sign="storm_sign")
    t.person("friend")
    opening(t, "The wind dropped so suddenly that {hero.name} looked up from {hero.his} work.")
    t("{sign}, and {hero} was the only one to notice.", "{hero} saw that {sign}, and did not like it.")
    t(
        "{grand} had taught {hero.him} what it meant: a storm before nightfall.",
        '"When that happens," {grand} used to say, "count your children and shut your windows."',
    )
    t.say("hero", "there is a storm coming!", "nobody ought to go out today. There will be a storm.")
    if t.chance(0.5):
        t.mark("heeded")
        t(
            (
                "{elder} looked at the sky, and then at {hero.him}, and nodded. By noon the shutters "
                "were closed and the boats tied up."
            ),
            "{elder} did not laugh. {elder} went from door to door, and by noon everything was tied down.",
        )
        t("Only {friend} had left before dawn, and knew nothing of it.")
    else:
        t.mark("laughed at")
        t.say(
            "elder",
            "with a sky like that? Go and play.",
            "I have lived here for sixty years, and I say it will be fine.",
        )
        t("{friend} laughed as well, and went off {to wild}, with a piece of bread in {friend.his} pocket.")
    t.paragraph()
    t(
        (
            "At [three|four] o'clock it came. The sky turned [black|yellow], slates flew from the "
            "roofs, and {friend} had not come back."
        ),
        (
            "Then the wind jumped up like a dog. It tore the washing off the lines and the words out "
            "of people's mouths. And {friend} was still out in it."
        ),
    )
    feel(t, "hero", "afraid")
    way = t.turn("lamp", "bell", "rope")
    if way == "lamp":
        t(
            "Somebody had to show {friend.him} the way. {hero} took the biggest lamp and climbed {to "
            "high}, and held it up until {~hero.his} arms trembled."
        )
        t("The light swung [left|right] and was nearly lost. {hero} shielded it with {~hero.his} own back.")
    elif way == "bell":
        t(
            "In such a rain no lamp could be seen. {hero} ran to the bell and pulled the rope with "
            "all {~hero.his} weight, again and again."
        )
        t("Once every minute {~hero} rang, for two hours, until there was no skin on {~hero.his} hands.")
    else:
        t("{hero} tied a rope to the last post, and the other end round {~hero.his} waist, and went out, calling.")
        t("The rope was almost at its end when something answered.")
    t(
        "And out of the dark, soaked and shivering, came {friend.named}.",
        "And there, on hands and knees, came {friend.named}.",
    )
    t.say(
        "friend",
        "I did not know where anything was, and then I knew where you were.",
        "I heard it, or saw it, I don't know. I just went towards you.",
    )
    feel(t, "hero", "relieved")
    if "laughed at" in t.branches:
        t("{elder} came to the door the next day, hat in hand.")
        t.say("elder", "from now on, tell me what the sky says. I have grown deaf to it.")
    close(t, "courage" if way == "rope" else "friendship")


@plot("shared soup", "dug a tunnel", "music", cast="people", season="winter", weather="snowy")
def snowed_in(t: Teller) -> None:
    """Snow shuts everybody in, and what each one has is not enough by itself."""
    t.person("friend")
    opening(t, "In the morning the door would not open. It had snowed up to the roof.")
    t(
        "It snowed for three days. On the fourth, the road was gone, and so were the fences.",
        "The snow came in the night, without a sound, and did not stop for a week.",
    )
    t(
        "No cart could get through, and no letter. {parent} looked into the larder and counted.",
        "The lamps went out one after another, because there was no more oil.",
    )
    t.paragraph()
    way = t.turn("shared soup", "dug a tunnel", "music")
    if way == "shared soup":
        t(
            "{hero.his} family had only onions. {elder} had only a bone. {friend} had "
            "nothing but salt and [barley|beans]."
        )
        t('"Onions are not a dinner," said {hero.name}. "But onions and a bone are nearly one."')
        t(
            "So {~hero} dug {~hero.his} way from house to house with a shovel, and wherever {~hero} "
            "knocked, somebody came along with something under one arm."
        )
        t(
            (
                "They put everything into the biggest pot {in_town}. It was the strangest soup that "
                "anybody had ever eaten, and there was enough of it."
            ),
            (
                "It all went into one pot: a bone, a turnip, a crust of cheese, and something that "
                "nobody could name. They ate it together, twenty-two of them, out of eleven bowls."
            ),
        )
        close(t, "sharing")
    elif way == "dug a tunnel":
        t("Across the way lived {elder.named}, quite alone, and no smoke came from the chimney.")
        t.say("hero", "something is wrong over there.")
        t(
            (
                "{hero} and {friend} dug a tunnel, with a shovel and a frying pan. It was blue inside, "
                "and every word sounded close."
            ),
            "So they dug. {friend} carried the snow away in a coal scuttle, and {hero} went ahead like a mole.",
        )
        t("{elder} lay under [five|four] blankets, with a cold stove. They brought wood and {food}, and lit the fire.")
        t.say("elder", "I thought that nobody would remember me before spring.")
        t("When the thaw came, the tunnel melted, but the two of them kept coming, every {time}.")
        close(t, "kindness")
    else:
        t("The evenings were long, and everybody sat alone and was cross.")
        t(
            "Then {hero} opened the window and played the only tune {~hero} knew on a [comb|mouth "
            "organ]. It sounded thin in all that white."
        )
        t(
            "From the next house came a [drum|saucepan]. From the next but one came a fiddle. "
            "Somebody sang, far down the street, and was answered."
        )
        t("When the road was free again and the first cart came, they were almost sorry.")
        close(t, "friendship")


@plot("followed bees", "old song", "shared the last", season="summer", weather="hot")
def drought(t: Teller) -> None:
    """The water runs dry; what is left must be shared, and more must be found."""
    t.person("grand")
    t.person("friend")
    opening(t, "On the [fortieth|fiftieth] day without rain, the last puddle dried up.")
    t(
        "There had been no rain since [spring|May]. {at water}, where there used to be water, "
        "there were cracks as wide as a hand."
    )
    t(
        "Everybody got one cup a day, and quarrelled over it.",
        "People who had always been polite began to count each other's sips."
        if not t.hero.is_animal
        else "Neighbours who had always been polite began to count each other's sips.",
    )
    t.paragraph()
    way = t.turn("followed bees", "old song", "shared the last")
    if way == "followed bees":
        t(
            "{hero} lay in the shade and watched the bees. They were not tired at all. They flew off "
            "{to wild} and came back with wet feet."
        )
        t.say("hero", "where do bees drink?")
        t(
            (
                "Nobody knew. So {hero} followed one, and lost it, and followed another, all day long, a "
                "little further every time."
            ),
            (
                "{hero} ran after one until it was too small to see. There {~hero} waited for the next, "
                "and so went on, from bee to bee."
            ),
        )
        t(
            "The last one went into a crack between two rocks. {hero} put {~hero.his} ear to it, and "
            "heard it: drip, drip, drip."
        )
        t("{friend} came with a stick to dig with, and by evening there was a pool as clear as glass.")
        close(t, "curiosity")
    elif way == "old song":
        t(
            "{grand} knew a song from long ago, which nobody understood any more. It told of a grey "
            "sister with a silver tooth."
        )
        t(
            "{hero} hummed it until it would not leave {~hero.his} head. Then {~hero} looked {at "
            "high}, and saw a grey rock with a white stripe, where <sight>."
        )
        t.say("hero", "that is the sister! And the tooth is where the water came out.")
        t(
            "Under the stripe there was moss. They dug where it was greenest, and at the depth of an "
            "arm the ground was wet."
        )
        t.say("grand", "my grandmother sang it to me. I thought that it was only meant to make me sleep.")
        close(t, "curiosity")
    else:
        t(
            "{hero} had saved half a cup, for the night. Then {~hero} saw {elder.named}, who was old "
            "and had stumbled, and whose cup lay in the dust."
        )
        t("{hero} looked at the water for a while. It was not much.")
        t.say("hero", "please take mine. I'm not so very thirsty.", "half of it is for you.")
        t(
            "{friend} had seen it, and said nothing, and the next day put half of {~friend.his} own "
            "in front of somebody smaller."
        )
        t(
            "It went round like that, and though there was not a drop more than before, nobody "
            "quarrelled. On the ninth day it rained."
        )
        close(t, "sharing")
