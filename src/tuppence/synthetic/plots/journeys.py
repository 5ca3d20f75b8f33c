"""Journeys: along a map, and to a blue hill."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, journey, opening
from tuppence.synthetic.teller import Teller


@plot("letter", "seeds", "box of toys", "solved alone", "solved together")
def treasure_map(t: Teller) -> None:
    """A map is found in an old thing; the treasure is not gold."""
    t.pick(keeper="keeper" if not t.hero.is_animal else "keeper_animal")
    t.person("grand")
    t.person("friend")
    opening(t, "There was something inside the lining. It crackled.")
    t(
        (
            "{hero} had never looked closely at the {keeper} that had once belonged to {grand.him}, "
            "until the day it fell down and a sheet of paper slid out."
        ),
        "In the attic, inside {a keeper}, {hero} found a sheet of paper, folded very small."
        if not t.hero.is_animal
        else "In a hollow under the roots, inside {a keeper}, {hero} found a sheet of bark, rolled up very small.",
    )
    t(
        "On it was a drawing: {wild}, {high}, a dotted line and a cross.",
        "It was a map. There was no name on it, only an arrow, a row of dots and a cross.",
    )
    t(
        (
            'Below, in faded writing, it said: "Start where [the morning comes in|the shadow points '
            'at noon]. [Twelve|Thirty] steps, and then think of me."'
        ),
        'Underneath somebody had written: "Go up, and count [twelve|twenty], and look for what does not belong."',
        (
            'There were a few words in brown ink: "For the one who looks twice. [Ten|Fifty] steps '
            'from the top, and mind the thistles."'
        ),
    )
    t.paragraph()
    if t.chance(0.5):
        t.mark("solved together")
        t(
            "{hero} showed it to {friend.him}, who was good at riddles.",
            "Two heads were better for this than one, and so {hero} fetched {friend.him}.",
        )
        t.say("friend", "where does it begin? It must be up {at high}!")
    else:
        t.mark("solved alone")
        t(
            (
                "{hero} puzzled over it for three days. On the fourth {~hero} saw the shadow of a post "
                "creep over the grass, and stood up so fast that {~hero} fell over."
            ),
            (
                "{hero} turned the map this way and that. Only when {~hero} held it upside down did it "
                "begin to look like home."
            ),
        )
    journey(t, "hero", "high")
    t(
        "{hero} counted the steps. The first time {~hero} ended up in a [thorn bush|bog].",
        "They were the steps of somebody small, {hero} thought, and took shorter ones.",
    )
    t(
        "Then the ground sounded hollow. {hero} dug until something scraped. It was a box!",
        "Under a flat stone there was a hole, and in the hole there was a box.",
    )
    way = t.turn("letter", "seeds", "box of toys")
    if way == "letter":
        t(
            (
                'There was no gold in it. There was only a letter. "Whoever finds this," it said, "was '
                'patient and curious. That is what I should have left you anyway."'
            ),
            (
                'In it lay an envelope. "Dear finder," said the letter, "the treasure is the {time} that '
                'you have just had. I had it too, when I buried this."'
            ),
        )
        t(
            "{hero} knew the writing. It was {grand.his} own.",
            "{hero} had seen that hand before, on every birthday card. It was {grand.his}.",
            "There was only one person who made such loops. It was {grand.named}.",
        )
        t.say(
            "grand",
            "I was nine when I buried that. I thought that I should be the one to find it."
            if not t.hero.is_animal
            else "I was very young when I buried that. I thought that I should be the one to find it.",
        )
    elif way == "seeds":
        t(
            "In it was a bag of seeds, hard and black. There was nothing else at all.",
            "There was nothing in it but a twist of paper with some wrinkled seeds.",
        )
        feel(t, "hero", "sad")
        t(
            (
                "{hero} planted them all the same. And in the next year, along the fence, there grew a "
                "flower that nobody had seen for fifty years, as blue as [ink|evening]."
            ),
            (
                "Still, one does not throw seeds away. {hero} put them in the ground, and a year later "
                "there was a bush by the gate that smelled of honey and smoke."
            ),
        )
        t(
            "{grand} stood in front of it and could not speak for a while.",
            ("{grand} came out with {grand.his} stick, bent down and breathed in, and did not move for a long time."),
        )
        t.say(
            "grand",
            "my mother had those. I never thought that I should smell them again.",
            "that was my mother's garden, all of it, in one flower.",
            "I was your age when I last smelled that.",
        )
    else:
        t(
            ("In it were a wooden [lion|bear] with three legs, a handful of marbles and a very small [crown|trumpet]."),
            "Inside lay a top, a tin [crown|sword] and five wooden animals, all with teeth marks.",
        )
        t(
            ("{hero} took them home. {grand} picked up the toy animal, and all at once looked no older than {hero}."),
            ("At home {hero} set them out on the table. {grand} laughed until {~grand} had to hold on to the chair."),
        )
        t.say(
            "grand",
            "I hid them from my brother, and then I forgot where. Sixty years! Come, I'll teach you the game.",
            "so there you are, you rascals! I hid you from your uncle, when he was in a breaking mood.",
        )
    close(t, "curiosity")


@plot("walked far", "found it at home", "brought something back")
def far_hill(t: Teller) -> None:
    """Somebody sets out to see what is beyond, and learns something about home."""
    opening(
        t,
        "From the window one could see the blue hill, and {hero.name} saw it every day."
        if not t.hero.is_animal
        else "From the front door one could see the blue hill, and {hero.name} saw it every day.",
    )
    t(
        "Far away there was a hill that was always blue. {hero} wanted to know why.",
        "Behind the last field stood a blue hill, and {hero} had never been there.",
    )
    t.say("parent", "it is only a hill.", "it is blue because it is far away.")
    t("One {time} {hero} packed {snack} and set out.", "So one day {hero} tied {snack} in a cloth and went.")
    t.mark("walked far")
    t(
        (
            "{hero} went past {water} and through {wild}. On the way {~hero} met {elder}, who asked "
            "where {~hero} was going."
        ),
        (
            "The road led by {water} and {wild}, and further than {hero} had ever been. There sat "
            "{elder.named}, resting."
        ),
    )
    t.say("hero", "to the blue hill.")
    t.say(
        "elder",
        "I come from there. It is quite green.",
        "ah. I went there once. Mind that you look round when you get to the top.",
    )
    t("{hero} did not believe it and went on, until the road grew steep and {~hero.his} feet were sore.")
    t.paragraph()
    t(
        "At last {~hero} stood on the top. The hill was not blue. There was grass on it, and <sight>.",
        (
            "Then there was no more hill left to climb. The grass was green, the stones were grey, "
            "and <sight>. Nothing was blue."
        ),
    )
    feel(t, "hero", "sad")
    t(
        (
            "Then {hero} turned round, and there, far away, at the end of the road, lay the {town}. "
            "And it was blue, as blue as could be."
        ),
        (
            "{hero} sat down and looked back the way {~hero} had come. All the way behind, small and "
            "far off, was home, and it was blue from end to end."
        ),
    )
    if t.chance(0.5):
        t.mark("found it at home")
        t(
            "{hero} ran most of the way back. It was dark when {~hero} came in.",
            "It was downhill all the way, and yet it took longer. The lamp was lit when {~hero} arrived.",
        )
        t.exchange(
            "parent",
            "hero",
            ("well? What is it like there?", "from there, we are the blue ones."),
            ("and? Was it blue?", "no. But you are, from over there."),
        )
    else:
        t.mark("brought something back")
        t(
            "{hero} put a [stone|pine cone] from the top in {~hero.his} pocket and went home."
            if not t.hero.is_animal
            else "{hero} carried a stone from the top all the way home."
        )
        t(
            (
                "It lies on the sill to this day. It is grey, but in the evening, when one is a little "
                "homesick, it looks quite blue."
            )
            if not t.hero.is_animal
            else (
                "It lies by the door to this day. It is grey, but in the evening, when one is a little "
                "homesick, it looks quite blue."
            )
        )
    close(t, "home")
