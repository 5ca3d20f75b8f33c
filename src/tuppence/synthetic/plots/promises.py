"""A promise that is hard to keep, and an errand that cannot wait."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("forgot", "kept it", "tempted and went back", season="summer")
def the_promise(t: Teller) -> None:
    """Somebody promises to look after something while its owner is away."""
    t.pick(charge="charge", fun="fun")
    t.person("elder")
    opening(t, '"You can rely on me," {hero.name} had said, and meant it.')
    t(
        "{elder} had to go away for [three days|a week] and worried about {charge}.",
        "Before {elder} went on a journey, {~elder} came to see {hero.named}.",
    )
    t.say(
        "elder",
        "will you look after {charge} while I am gone?",
        "somebody must take care of {charge}. Twice a day, and don't forget the evening.",
    )
    t.say("hero", "I promise.", "of course. I give you my word.", "you can rely on me.")
    t(
        "The first day went well, and so did the second.",
        "At first {hero} went every morning and every evening, and was very proud of it.",
    )
    t.paragraph()
    t("Then {fun}, and everybody was going to see it.", "But on the third day {fun}.")
    t.say("friend", "come on! It is only once a year.", "are you coming? We must go at once, or there will be no room.")
    if t.hero.temper in ("careful", "kind", "shy") and t.chance(0.7):
        t.mark("kept it")
        t.say("hero", "I can't. I promised.", "you go. I shall come if I am done in time.")
        t(
            "{hero} could hear the music from far off while {~hero} worked, and it was hard to stay.",
            (
                "From over there came laughter, and now and then a trumpet. {hero} worked a little "
                "faster, and did not skip anything."
            ),
        )
        t(
            (
                "When everything was done, it was dark, and the others were on their way home. {friend} "
                "had saved {hero.him} {snack}."
            ),
            "{friend} came back early, because it was no fun alone, and they finished the work together.",
        )
        t(
            "<next_day> {elder} came home and looked at everything twice.",
            "Two days later {elder} was back, and looked into every corner.",
            "When {elder} came back, everything was just as {elder} had left it, only a little tidier.",
        )
        t.say("elder", "I was not worried for a moment.", "I see that it was in good {hands}.")
        close(t, "promise")
        return
    if t.chance(0.5):
        t.mark("tempted and went back")
        t("{hero} went along. {~hero.he} ate {snack}, and laughed, and then, in the middle of a song, remembered.")
        t(
            (
                "It was as if somebody had put out the lights. {hero} ran the whole way back, in "
                "{~hero.his} best clothes."
            )
            if not t.hero.is_animal
            else "It was as if a cloud had come over the sun. {hero} ran the whole way back."
        )
        t(
            (
                "It was nearly too late, but only nearly. {hero} stayed until [midnight|long after dark] "
                "and put everything right."
            ),
            "It was not too late, by the breadth of a hair. {hero} worked by moonlight until it was all in order.",
        )
        feel(t, "hero", "relieved")
        t("When {elder} came home, {hero} told {elder.him} of that, too.")
        t.say("elder", "you forgot for an hour, and remembered for the rest of the night. I call that keeping it.")
        close(t, "promise")
        return
    t.mark("forgot")
    t("{hero} went along and had a splendid time, and did not think of {charge} until the next {time}.")
    t("Then {~hero} ran as fast as {~hero.his} legs would go. It was a sorry sight.", "By then the harm was done.")
    feel(t, "hero", "ashamed")
    t(
        (
            "There was no time to cry. {hero} fetched {friend}, and together they worked [all "
            "day|two whole days] to mend what could be mended."
        ),
        "{hero} set to work and did not stop, even to eat, and by evening most of it was put right.",
    )
    t("When {elder} came home, {hero} was waiting at the door and told {elder.him} at once.")
    t.say(
        "elder",
        "I am sorry to hear it, and glad that I hear it from you.",
        "next month I must go away again. Who do you think I shall ask?",
    )
    t("{hero} did not dare to guess.")
    t.say("elder", "you. Nobody forgets twice who has worked so hard at it.")
    close(t, "promise")


@plot("short cut", "borrowed a horse", "missed it but", "bridge was down")
def against_time(t: Teller) -> None:
    """Something forgotten must reach somebody before they leave."""
    t.pick(luggage="luggage", vessel="vessel" if not t.hero.is_animal else "vessel_animal")
    t.person("friend")
    opening(
        t,
        "The {vessel} left at noon, and it was a quarter to twelve.",
        "There it lay on the table, and its owner was gone.",
    )
    t(
        (
            "{friend} was going away that day, for [a whole year|a long time], and {hero} had said "
            "goodbye [bravely|in the morning]."
        ),
        "At noon the {vessel} would leave, and {friend} would be on it.",
    )
    t(
        "Then {hero} saw that {luggage} had been left behind.",
        "Only then did {hero} find {luggage}, forgotten on the chair.",
    )
    t.say("hero", "{friend} will be lost without that!", "without that it is no use to go at all!")
    t(
        "{hero} snatched it up and ran.",
        "There was no time to think. {hero} ran.",
        "In a moment {hero} was out of the door.",
    )
    t.paragraph()
    t(
        (
            "At the first corner {~hero} ran into [a flock of sheep|a wedding party|a cart of "
            "turnips] and had to squeeze through."
        ),
        "A wheelbarrow stood in the way; {~hero} jumped over it.",
        "{hero} slipped, scraped {~hero.his} knee and ran on.",
    )
    way = t.turn("short cut", "borrowed a horse", "missed it but", "bridge was down")
    if way == "short cut":
        t(
            "By the road it was too far. But {hero} knew every hole in every fence, because {~hero} "
            "loved to {doing} there."
        )
        t(
            "Through {wild} {~hero} went, over the wall and down the slope on the seat of {~hero.his} trousers."
            if not t.hero.is_animal
            else "Through {wild} {~hero} went, over the wall and head over heels down the slope."
        )
    elif way == "borrowed a horse":
        t(
            "On the road stood {elder.named} with a [donkey|pony] and an empty cart."
            if not t.hero.is_animal
            else "By the path sat {elder.named}, who was slow but knew everybody."
        )
        t.say("elder", "where is the fire?", "why such a hurry?")
        t(
            "{hero} told {elder.him} in seven words. {elder} did not ask for more.",
            '"No time!" gasped {hero.name}, and told {elder.him}, all in one breath.',
        )
        t(
            "What a ride that was! Hens flew up on both sides, and <sight>."
            if not t.hero.is_animal
            else "One whistle, and a hare came, who was faster than the wind. {hero} held on by its ears."
        )
    elif way == "bridge was down":
        t(
            "But the footbridge was gone: the flood had taken it in the night.",
            "Where the bridge had been, there were two posts and a great deal of water.",
        )
        t(
            "{hero} looked at the water. Then {~hero} tied {luggage} on top of {~hero.his} head with "
            "{~hero.his} scarf, and waded."
        )
        t("It came up to the chin, and it was as cold as a key.")
    if way == "missed it but":
        t(
            (
                "{hero} came round the last bend just in time to see the {vessel} leave. It was "
                "[ten|twenty] yards away, and then it was fifty."
            ),
            "When {hero} got there, there was only a wisp of smoke, or dust, or spray. It had gone.",
        )
        feel(t, "hero", "sad")
        t("But there, on a box, sat {friend.named}, swinging {friend.his} feet.")
        t.say(
            "friend",
            "I noticed that I had forgotten it. So I got off again. There is another one tomorrow.",
            "I felt in my pocket, and it wasn't there. And then I was rather glad of it.",
        )
        t.say("hero", "then you have to stay one more day!")
        t("And they both thought that this was the best thing that had ever been forgotten.")
        close(t, "friendship")
        return
    t(
        "When {hero} arrived, the {vessel} was just about to go. {friend} stood at the back and waved.",
        "There was the {vessel}, and there was {friend.named}, looking for something in every pocket."
        if not t.hero.is_animal
        else "There was the {vessel}, and there was {friend.named}, looking very unhappy.",
    )
    t(
        '"Catch!" shouted {hero.name}, and threw. {friend} caught it with both {hands}.',
        (
            "{hero} had no breath left to call. {~hero.he} held it up high, and threw, and {friend} "
            "leaned out and caught it."
        ),
    )
    t.say(
        "friend",
        "you are the best friend that anybody ever had!",
        "I'll write to you! Every week!",
        how="shouted|called",
    )
    t(
        "{hero} waved until there was nothing left to wave at.",
        "Then the {vessel} was only a dot, and {hero} noticed that {~hero} had lost a shoe."
        if not t.hero.is_animal
        else "Then the {vessel} was only a dot, and {hero} had hiccups from running.",
    )
    close(t, "friendship")
