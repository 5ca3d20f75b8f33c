"""Small mysteries of the night: a noise and a light."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, journey, opening
from tuppence.synthetic.teller import Teller


@plot("shutter", "hedgehog", "owl", "somebody practising")
def noise_at_night(t: Teller) -> None:
    """Something is heard at night; the explanation was there all along."""
    t.pick(noise="noise")
    t.person("friend")
    opening(t, "There it was again: {noise}.", '"Did you hear that?" whispered {hero.name}.')
    t(
        "One night {hero} woke up because of a noise. It went {noise}, and then it stopped.",
        "For three nights something had gone {noise} in the dark, always at the same hour.",
    )
    t(
        (
            "{hero} pulled the blanket over {~hero.his} head and thought of "
            "[robbers|wolves|ghosts|giants with cold {hands}]."
        ),
        "It might have been a [bear|ghost]. It might have been two.",
    )
    feel(t, "hero", "afraid")
    t("In the morning {hero} told {friend}.")
    t.say(
        "friend",
        "we'll find out tonight.",
        "I am not afraid of noises. At least, not in the daytime.",
        "then we must look for tracks.",
    )
    t.say("hero", "must we?", "you go first.")
    t.paragraph()
    t(
        (
            "That night they crept out, {friend} in front and {hero} behind, or the other way round, "
            "depending on the noise."
        ),
        "They sat up together with a candle, and told each other that they were not sleepy.",
    )
    way = t.turn("shutter", "hedgehog", "owl", "somebody practising")
    if way == "shutter":
        t(
            "It was only a loose shutter, and the wind that played with it."
            if not t.hero.is_animal
            else "It was only a loose branch, and the wind that played with it."
        )
        t(
            "{friend} fastened it with a bit of wire. Then it was so quiet that {hero} could not sleep."
            if not t.hero.is_animal
            else "{friend} tied it up with a bit of ivy. Then it was so quiet that {hero} could not sleep."
        )
        t('"I rather miss it," {hero} said the next day.')
        close(t, "courage")
    elif way == "hedgehog":
        t(
            (
                "Behind the [shed|log] somebody very small was [licking out|pushing about] an old tin "
                "pot, which was stuck on its nose."
            ),
            "Somebody with prickles had put {hero.his} old mug on like a hat, and could not get it off again.",
        )
        t(
            "{hero} held the pot and {friend} pulled. Out came [a hedgehog|a young hedgehog], very much offended.",
            "It took two of them and a little patience, and there he was: a hedgehog, and a very angry one.",
            "One pull, and another, and plop! A small pointed face looked up at them.",
        )
        t(
            (
                "After that there was a saucer of water by the step every evening, and no more noise "
                "than a little smacking of lips."
            ),
            "Now and then they still heard it, in the dark, and turned over and went on sleeping.",
        )
        close(t, "kindness")
    elif way == "owl":
        t(
            "Up in the rafters sat an owl with three chicks, and they were hungry, and said so."
            if not t.hero.is_animal
            else "Up in a hollow tree sat three young swifts, and they were hungry, and said so."
        )
        t(
            "They had round, surprised faces, and they were far more frightened than {hero} had been.",
            "Three pairs of eyes stared at them, as round as buttons.",
        )
        t.say("hero", "so I was the ghost.", "they must have thought that I was a giant with cold {hands}.")
        close(t, "courage")
    else:
        t(
            (
                "A light shone {at public}. They peeped through a crack, and there was {elder.named}, "
                "with a [trombone|drum|big brass horn], practising."
            )
            if not t.hero.is_animal
            else (
                "Something moved {at public}. They peeped through the leaves, and there was "
                "{elder.named}, dancing in the moonlight."
            )
        )
        t("{elder} went as red as a radish." if not t.hero.is_animal else "{elder} stopped in the middle of a step.")
        t.say(
            "elder",
            "I have always wanted to. And by day everybody would laugh.",
            "don't tell anybody! I only do it when I think that the world is asleep.",
        )
        t.say("hero", "we won't. Go on, please.", "do that last bit again. It was lovely.")
        t(
            "At the next feast {elder} did it before everybody, and was asked to do it twice more.",
            (
                "They kept the secret for a month. Then {elder} let it out, in front of everybody, and "
                "it was a great success."
            ),
        )
        close(t, "kindness")


@plot("glow-worms", "lantern", "star in the water")
def light_in_the_wood(t: Teller) -> None:
    """A strange light is seen at night, and followed."""
    t.person("friend")
    t.person("grand")
    opening(t, "The light was green, and it moved.")
    t(
        "At night {hero.name} could see {wild} from bed, quite black. But one night there was a light in it.",
        "Every evening, just after sunset, a light appeared {at wild}, where nobody lived.",
    )
    t.say(
        "grand",
        "when I was small we used to say that the moon had dropped a button.",
        "leave it be. Some lights don't want to be caught.",
        "I have seen it, too, once. I was not quick enough.",
    )
    t(
        "{hero} wanted to know. {friend} wanted to know as well, but from further away.",
        "{hero} could not leave it alone. {friend} said that one very well could, but came along.",
    )
    journey(t, "hero", "wild")
    t(
        "The light went out whenever they came near, and lit up again a little further on.",
        "It was always behind the next bush, and then behind the one after that.",
    )
    t.say("friend", "let us go home.", "what if it is leading us into a bog?", how="whispered")
    t.say("hero", "only as far as that tree.", "you said that you were not afraid.", how="whispered|said")
    t.paragraph()
    way = t.turn("glow-worms", "lantern", "star in the water")
    if t.world.season == "winter" and way == "glow-worms":
        t.branches[-1] = way = "lantern"
    if way == "glow-worms":
        t(
            (
                "Then the last branch swung aside. The hollow was full of glow-worms, hundreds of them, "
                "as if the sky had been spilt."
            ),
            (
                "They pushed the leaves aside. There they hung and sat and flew, hundreds of tiny lamps, "
                "green and gold: glow-worms!"
            ),
        )
        t("{friend} forgot to be afraid. One settled on {hero.his} nose and lit up the tip of it.")
        t(
            "They took none of them home. Some things, {hero} said, go out if one puts them in a jar.",
            "{friend} had brought a jar. {friend} looked at it, and put it back in {friend.his} pocket.",
        )
    elif way == "lantern":
        t(
            "It was a lantern, and {elder} was carrying it, step by step, [bent low|nose to the ground].",
            (
                "Behind the light there was somebody. It was {elder.named}, in a shawl, going very "
                "slowly and looking at the ground."
            ),
        )
        t.say(
            "elder",
            "hush. I come here every night to see that the toads get across the path. Somebody has to."
            if t.world.season != "winter"
            else "hush. I come here every night with seed for the birds. The winter is long for them.",
        )
        t(
            (
                "They stayed and helped. From then on there were three lights {at wild}, and people told "
                "each other the wildest tales about them."
            )
            if not t.hero.is_animal
            else (
                "They stayed and helped. From then on there were three of them {at wild}, and everybody "
                "told the wildest tales about them."
            )
        )
    else:
        t(
            "There was a pool, as round as a plate, which nobody had ever noticed, and in it swam a star.",
            "At the end there was only a pond, black and still, and a spark in the middle of it.",
        )
        t(
            (
                "{hero} looked up. There hung the same star, in the only gap between the branches. It "
                "had been shining straight down."
            ),
            (
                '"It\'s a star!" said {hero.name}. One could see it only from here, through a hole in the '
                "leaves, in the water and above it."
            ),
        )
        t(
            "{friend} threw in a pebble, and for a moment there were a thousand of them.",
            "{friend} put a finger in, and the star broke into crumbs, and came together again.",
        )
    close(t, "curiosity")
