"""Parcels, letters and messages that go astray or change on the way."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("set right", "happy accident", "laughed at", cast="people")
def wrong_parcels(t: Teller) -> None:
    """Two parcels are mixed up, and each turns out to be what the other needed, or not."""
    t.cast("one", trade="schoolteacher")
    t.cast("two", trade="innkeeper")
    t.pick(gift_one="parcel", gift_two="parcel")
    opening(t, '"There must be some mistake," said {one.name} the schoolteacher, and held up {a gift_two}.')
    t(
        "{one} and {two} had each [ordered|been sent] a parcel, and {hero} was to carry them.",
        "That day {hero} had two parcels to deliver: one for {one} and one for {two}.",
    )
    if t.world.weather == "rainy":
        t(
            "But the rain washed the names off, and one brown parcel looks much like another.",
            "It was pouring, and the ink ran, and in the end both parcels had the same blue smudge.",
        )
    elif t.world.weather == "windy":
        t(
            "But the wind snatched both labels and carried them over the rooftops.",
            "A gust tore off the one label, and then, while {hero} ran after it, the other.",
        )
    else:
        t(
            "But {hero} was thinking of something else, and stopped on the way to {doing}.",
            "But {hero} put them down to {doing}, and picked them up the other way round.",
        )
    t(
        "So {one.name} got {a gift_two}, and {two} got {a gift_one}.",
        "In this way {a gift_two} came to {one.him}, and {a gift_one} to {two.named}.",
    )
    t.paragraph()
    t("<later> both of them stood {at public} with [puzzled|very odd] faces.")
    t.say("hero", "it was my mistake. I shall carry them back this minute.", "oh dear. I have muddled them up.")
    way = t.turn("set right", "happy accident", "laughed at")
    if way == "happy accident":
        t.say(
            "one",
            "wait. I had forgotten how much I used to want {a gift_two}.",
            "don't. I have not laughed so much for years.",
        )
        t.say("two", "and I have [always wondered about|a place for] {a gift_one}.")
        t(
            (
                "So the parcels stayed where they were, and so, from then on, did the friendship between "
                "the two of them."
            ),
            "They swapped not only parcels but [recipes|stories] too, every [Thursday|Sunday] after that.",
        )
        close(t, "mistake")
    elif way == "laughed at":
        t(
            "Everybody laughed, and {hero} went as red as a beetroot.",
            "They roared with laughter. {hero} looked for a hole in the ground, and there was none.",
        )
        feel(t, "hero", "ashamed")
        t("But {one} put a hand on {hero.his} shoulder.", "{one} saw it, and stopped laughing, and drew up a chair.")
        t.say(
            "one",
            "the day I began, I rang the bell an hour early and sent everybody home.",
            "once I taught a whole lesson with my coat on back to front.",
        )
        t("Then {hero} had to laugh too, and it did not hurt any more.")
        close(t, "mistake")
    else:
        t(
            "{hero} ran from one end of the {town} to the other, twice, and <sight>.",
            "So off {~hero} went again, with a parcel under each arm, while <sight>.",
        )
        t("This time {~hero} read each name aloud before {~hero} knocked.")
        t.say("two", "nobody has ever brought me the same parcel three times.", "that is what I call thorough.")
        t("And {hero.he} was given {food} for the trouble.")
        close(t, "mistake")


@plot("answered", "stranger came", "wrong reader", cast="people")
def bottle_post(t: Teller) -> None:
    """A letter is sent to nobody in particular, and is answered."""
    t.pick(land="far_place")
    opening(t, '"Dear somebody," wrote {hero.name}, and then could not think how to go on.')
    t(
        "It rained for a week, and everybody had gone away, and {hero} was bored.",
        "{hero} often wished to know somebody who lived far away.",
    )
    t(
        (
            "So {~hero} wrote a letter. {~hero.he} told how <season>, how {~hero} loved to {doing}, "
            "and that the {town} was very quiet."
        ),
        "{hero} took a sheet of paper and wrote down everything: that <season>, and that <sight>.",
    )
    t('At the bottom {~hero} put, "Please write back." Then {~hero} corked it up in a bottle and let it go {at water}.')
    t(
        "[Weeks|Months] went by, and {hero} nearly forgot about it.",
        "For a while {hero} ran down every morning to look. Then {~hero} stopped.",
    )
    t.paragraph()
    way = t.turn("answered", "stranger came", "wrong reader")
    if way == "answered":
        t(
            "Then the postwoman brought a letter with a stamp that nobody had ever seen.",
            "But one day there was a letter for {hero.him}, much travelled, with five postmarks.",
        )
        t(
            '"Dear {hero.name}," it said. "I found your bottle in {land}. I am ten, and we have no '
            'such weather here, and I love to {doing} as well."'
        )
        t("{hero} read it [four|seven] times. Then {~hero} took out a new sheet of paper.")
        t(
            (
                "They wrote to each other for [thirty|forty] years. When they finally met, they did not "
                "need to say much."
            ),
            (
                "That was the beginning. There is a whole chest of letters now, and neither has ever "
                "been late with an answer."
            ),
        )
        close(t, "friendship")
    elif way == "stranger came":
        t("Then, one {time}, a stranger with a rucksack stood at the gate and held up the bottle.")
        t.cast("stranger", trade="painter")
        t.say("stranger", "you wrote that it was quiet here. I have been looking for a quiet place for years.")
        t("{stranger} stayed until the summer and painted everything that was in the letter.")
        t("The last picture was of {hero.named}, writing.")
        close(t, "kindness")
    else:
        t(
            "The bottle had not gone far. It had drifted to the other end of the {town}, where "
            "{elder.named} lived, whom nobody ever visited."
        )
        t(
            "{elder} had read it [every evening|by the window], and had not dared to answer. {hero} "
            "found it on the shelf when {~hero} brought {elder.him} some milk."
        )
        t.say("elder", "I am sorry. I knew that it was not meant for me.")
        t.say("hero", "it said somebody. You are somebody.", "but it was. I just didn't know it.")
        t("After that {hero} came every week, and they wrote the next letter together.")
        close(t, "kindness")


@plot("rhyme", "repeated wrong", "understood")
def garbled_message(t: Teller) -> None:
    """A message has to be carried by heart, and it changes on the way."""
    t.pick(message="message")
    t.person("elder")
    t.person("grand")
    opening(t, "{hero.name} said it over and over, so as not to forget it.")
    t(
        "{grand} could not walk far any more, and sent {hero.him} to {elder.him} with a message.",
        "{hero} was given a message to carry to {elder.him}, and it was not to be written down.",
    )
    t.say("grand", "{message}. Can you remember that?", "say just this: {message}. Not a word more.")
    t(
        "{hero} set off, saying it under {~hero.his} breath. But on the way <sight>, and {~hero} stopped to look.",
        "{hero} said it over at every step, like a skipping rhyme. But <sight>, and that was very interesting.",
    )
    t(
        "Then {friend} came by and asked three questions at once. Then there was a puddle to be jumped.",
        "A little further on {~hero} met {friend}, who wanted to {doing}, only for a minute.",
    )
    t(
        "When {~hero} went on, the words had come loose.",
        "When {hero} took the message out again, so to speak, some of it was missing.",
    )
    t.paragraph()
    way = t.turn("rhyme", "repeated wrong", "understood")
    if way == "rhyme":
        t(
            (
                "{hero} went back to the place where {~hero} had still known it. There it was, as if it "
                "had been waiting."
            ),
            (
                '"If I lost it here, I shall find it here," thought {hero.name}, and walked back, and '
                "there, by the puddle, it was."
            ),
        )
        t(
            (
                "This time {~hero} made a tune of it, and a tune sticks. {hero} sang it all the way to "
                "{elder.him}, and half the {town} was humming it by evening."
            ),
            (
                "{~hero.he} put it to a tune, to be on the safe side. Anybody who heard it that day "
                "could not get rid of it for a week."
            ),
        )
        t.say(
            "elder",
            "I have never had a message that one could dance to.",
            "you need not say it again. I shall be whistling it all night.",
        )
        close(t, "curiosity")
    elif way == "repeated wrong":
        t(
            "{hero} gave it as well as {~hero} could. {elder} looked more and more surprised.",
            '"I was to tell you," {hero} began, and went on, and {elder} put down {elder.his} cup.',
            "What {hero} said was short, and very odd, and {elder} asked to hear it again.",
        )
        t.say(
            "elder",
            "I am to put the hen in the letter box, and send the soup to school?",
            "a hat full of mustard, before sunrise? Are you sure?",
        )
        t.say("hero", "no. I am not sure at all. I forgot the middle, and so I made one up.", how="admitted|said")
        t.say(
            "elder",
            "that is the best thing you have said so far. Let us go and ask together.",
            "good. Now we are getting somewhere. Take me there.",
            "then there is only one way to find out. It is not far.",
        )
        t(
            (
                "So {elder} went to see {grand.named}, for the first time in years, and they talked "
                "until it was dark. Nobody ever found out what the message had been."
            ),
            (
                "They went together, and {grand} was so pleased to see {elder.him} that the message was "
                "forgotten for good."
            ),
        )
        close(t, "honesty")
    else:
        t(
            '{hero} had only one word left, and that was "please". So {~hero} said that, and nothing more.',
            (
                "All that {hero} could remember was that it was important. So {~hero} said that, and "
                "looked up, hopefully."
            ),
        )
        t(
            "{elder} asked no questions, but took a coat and came along."
            if not t.hero.is_animal
            else "{elder} asked no questions, but came along at once."
        )
        t.say("grand", "you came at once. That was the message.", "I see that {hero} has told you everything.")
        close(t, "kindness")
