"""Friends: a quarrel, a secret, and somebody new."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("it broke", "it was stolen", "weather came", "shared by halves", "gave it away")
def quarrel(t: Teller) -> None:
    """Two friends want the same thing, and lose it by pulling."""
    t.pick(prize="shared_toy")
    t.person("friend")
    opening(t, '"It is mine!" said {hero.name}. "No, mine!" said somebody else.')
    t(
        "{hero} and {friend} found {a prize} {at wild}, both at the same moment.",
        "For a whole year {hero} and {friend} had saved up for {a prize}, and now they had it.",
        "Somebody had thrown away {a prize}, and {hero} and {friend} pulled it out of the heap together.",
    )
    t.say("hero", "I saw it first. I go first.", "I shall have it in the mornings and at weekends.", "it was my idea.")
    t.say("friend", "you always go first!", "and what is left for me?", "it was my [luck|penny] that got it.")
    feel(t, "friend", "angry")
    t(
        "They would not share, and they would not take turns. Each of them [took hold of one end|pulled].",
        "Neither would give in. They shouted until the rooks flew up.",
        '"Mine," said one of them. "Mine," said the other, and so it went on.',
    )
    t.paragraph()
    way = t.turn("it broke", "it was stolen", "weather came")
    if way == "it broke":
        t(
            ("There was a crack. Now {hero} had one half and {friend} had the other, and neither half was any good."),
            "Something gave way with a snap, and they both sat down hard, each with a piece of it.",
            "It came apart in the middle. They looked at the two halves, and then at each other.",
        )
        t(
            '"That was you!" they both shouted, and walked away in opposite directions.',
            '"Now look what you have done!" each of them cried, and that was the last word for some time.',
        )
    elif way == "it was stolen":
        t(
            (
                "They shouted so long and so loudly that they never noticed [a goat|a fox|a big dog] "
                "drag it off {to wild}."
            )
            if not t.hero.is_animal
            else "They shouted so long and so loudly that they never noticed a pair of crows drag it away."
        )
        t(
            "When they turned round, it was gone.",
            "There was nothing left but the marks in the grass.",
            "By the time they noticed, it was too late.",
        )
    else:
        t(
            "So the {prize} was left outside that night, because neither would let the other take it home.",
            (
                "Neither of them would take it home, for fear of doing the other a favour. So the "
                "{prize} stayed out all night."
            ),
        )
        t(
            "It [rained|blew] until morning, and by then it was ruined."
            if t.world.season != "winter"
            else "By morning the frost had cracked it."
        )
    feel(t, "hero", "sad")
    t(
        "For three days they did not speak. {hero} found that it is dull to {doing} alone.",
        "The next days were very long. {friend} sat at one end of the {town} and {hero} at the other.",
    )
    t.paragraph()
    t(
        "On the [third|fourth] day they met {at water}, by accident, or nearly by accident.",
        "Then {hero} went to look for {friend.him}, and met {friend.him} halfway, coming to look for {hero.him}.",
    )
    t.say("hero", "I would rather have you than {a prize}.", "I'm sorry. I pulled, and I shouldn't have.")
    t.say("friend", "I pulled too.", "I have been practising how to say that all {time}.", "so am I. Sorrier than you.")
    if t.chance(0.5):
        t.mark("shared by halves")
        t(
            (
                "They set to work with [nails and string|glue and pegs], and by evening they had made a "
                "new one out of the pieces and some old planks."
            ),
            "They built another from scraps. It was crooked and squeaked, and it belonged to both.",
        )
        t(
            "{hero} let {friend.him} go first.",
            'Then each of them said, "You first," and nearly began another quarrel about that.',
            "They took turns, and counted them, and then forgot to count.",
        )
    else:
        t.mark("gave it away")
        t(
            "They never did get another. Instead they [built a den|made a raft], which needed two of them anyway.",
            (
                "It could not be had back. But they found an old [door|barrel] by the wayside, and a "
                "door can be a ship, a stage or a table for two."
            ),
        )
    close(t, "friendship")


@plot("followed them", "guessed wrong", "nearly left")
def the_secret(t: Teller) -> None:
    """Everybody whispers and falls silent; the hero thinks the worst, and it is a surprise."""
    t.pick(surprise="surprise")
    opening(t, "They stopped talking when {hero.name} came in. They always stopped talking now.")
    t(
        (
            "For days something had been going on. {friend} had no time to {doing}, and {parent} hid "
            "things in {~parent.his} apron."
        )
        if not t.hero.is_animal
        else (
            "For days something had been going on. {friend} had no time to {doing}, and {parent} was "
            "always busy elsewhere."
        )
    )
    t.say("hero", "where are you going?", "can I come with you?")
    t.say(
        "friend",
        "oh, nowhere.",
        "not today. You would be bored.",
        "I have to, well, count something.",
        how="said|mumbled",
    )
    t("Then {friend} [hurried|ran|slipped] off {to public}.", "And off went {friend.named}, without turning round.")
    feel(t, "hero", "sad")
    t.paragraph()
    way = t.turn("followed them", "guessed wrong", "nearly left")
    if way == "followed them":
        t(
            (
                "{hero} followed at a distance, from [tree to tree|corner to corner]. {friend} went into "
                "a shed and shut the door."
            ),
            ("So {hero} crept after {friend.him}, and felt like a spy, and did not enjoy it. The trail led to a shed."),
            "{hero} gave {friend.him} a head start and then followed the footprints, all the way to an old barn.",
        )
        t(
            (
                "Behind it there was hammering, and laughter. {hero} [put an eye|put an ear] to the "
                "crack and was caught at it."
            ),
            "One could hear a saw, and somebody giggling. {hero} leaned on the door, and the door was not shut.",
        )
        t.say(
            "friend",
            "oh no! You weren't supposed to see that before tomorrow!",
            "stop! Shut your eyes! It isn't finished!",
            "now you have spoilt it. No, you haven't. Come in, then.",
        )
    elif way == "guessed wrong":
        t(
            (
                '"They don\'t like me any more," thought {hero.name}, and counted up everything that '
                "{~hero} had ever done wrong."
            ),
            ("{hero} decided that it must be {~hero.his} own fault, and tried to think what {~hero} could have done."),
        )
        t(
            (
                "The list was long. {hero} went to {friend.him} and said sorry for all of it, from the "
                "[lost ball|spilt milk] to the [frog|mud]."
            ),
            (
                "There was the business with the [jam|ladder], and the time with the [frog|hat]. {hero} "
                "begged {friend.his} pardon for all of it at once."
            ),
        )
        t(
            "{friend} stared, and then began to laugh, and then to hug {hero.him}.",
            "{friend} did not understand a word at first. Then {~friend} understood, and had to sit down.",
        )
        t.say(
            "friend",
            "you goose! It is not that at all. Come with me, it can't wait.",
            "is that what you thought? Oh dear. Come with me, quickly.",
            "nobody is cross with you! Come along, or I shall burst.",
        )
    else:
        t(
            (
                "{hero} packed a bundle with a [blanket|scarf] and {snack}, and set out to live {at "
                "wild}, where nobody whispered."
            ),
            (
                '"Then I shall go," thought {hero.name}, and went, with {snack} in one pocket. {hero} '
                "got as far as {wild}."
            ),
            "{hero} ran away from home, but not very far, only {to wild}, in case somebody should come after.",
        )
        t(
            "It was cold there, and <sight>. {hero.he} had just finished the last crumb when "
            "{friend} came running, quite out of breath."
        )
        t.say(
            "friend",
            "there you are! You will be late for your own surprise!",
            "I have looked everywhere! They are all waiting!",
            "what are you doing here? You are the most important one!",
        )
    t.paragraph()
    t(
        (
            "It was {hero.name}'s birthday, which {hero} had forgotten in all {~hero.his} misery, "
            "and there, under a sheet, stood {a surprise}."
        ),
        (
            "They led {hero.him} in with {~hero.his} eyes shut. When {~hero} opened them, there "
            "stood {a surprise}, with {~hero.his} name on it."
        ),
    )
    t(
        "They had built it themselves, every evening for a month.",
        "{parent} had made the plan, and {friend} had knocked in every nail.",
    )
    feel(t, "hero", "glad")
    t.say("hero", "I thought you had forgotten me.", "and I thought you were tired of me.")
    t.say(
        "friend",
        "we thought of nothing else.",
        "I have blisters on both hands from thinking of you."
        if not t.hero.is_animal
        else "I have never thought of anybody so much.",
    )
    close(t, "friendship")


@plot("game", "language", "drawing", cast="people")
def newcomer(t: Teller) -> None:
    """Somebody new arrives and does not know anybody; a way is found to talk."""
    t.cast("newcomer", relation="guest")
    t.pick(land="far_place")
    opening(t, "The new {newcomer.kind} stood by the gate and looked at {~newcomer.his} shoes.")
    t(
        (
            "That {season_name} a family came from {land} with two suitcases and a [birdcage|sewing "
            "machine|clock in a blanket]."
        ),
        "One day there was somebody new {in_town}, from {land}.",
    )
    t(
        "Their {newcomer.kind} was called {newcomer.name}, and {~newcomer} knew only three words "
        "of the language: [yes, no and soup|please, thanks and bread]."
    )
    t(
        "Nobody was unkind. Nobody [came near|spoke to] {newcomer.him} either.",
        "The others looked {newcomer.him} up and down and went on with their game.",
        "It was not that anybody minded {newcomer.him}. It was only that nobody knew how to begin.",
    )
    t.paragraph()
    t(
        "{hero} remembered how it had been to be new, and how long a day can be.",
        "{hero} watched from a distance and did not know how to begin.",
    )
    way = t.turn("game", "language", "drawing")
    if way == "game":
        t(
            "So {hero} rolled a ball across, without a word. {newcomer} looked at it, and rolled it back.",
            (
                "{hero} had a ball in {~hero.his} pocket. {hero} bounced it once, and it went over to "
                "{newcomer.named}, all by itself."
            ),
            "There is no need of words to throw a ball. {hero} threw it.",
        )
        t(
            "Then {newcomer} did a trick with {~newcomer.his} foot that nobody {in_town} had ever seen.",
            (
                "{newcomer} caught it on one toe, and let it run up to the knee, and down again. Nobody "
                "{in_town} had ever seen such a thing."
            ),
        )
        t.say("hero", "again! Do that again!", "how did you do that? Show me!", "oh! Once more, please!")
        t('"Again," said {newcomer.name}, and so {~newcomer} had four words.')
    elif way == "language":
        t(
            ('"Stone," said {hero.name}, and held one up. {newcomer.name} said another word, a round and bumpy one.'),
            (
                "{hero} pointed to {~hero.himself} and said {~hero.his} name. Then {~hero} pointed to "
                "the cat, the gate, the sky. {newcomer.name} said them all over, in two languages."
            ),
        )
        t(
            (
                "They went on to tree, to cloud, to nose. By evening they had traded [thirty|forty] "
                "words, and laughed at nearly all of them."
            ),
            "It took all {time}. They had words for bread and water and thunder by then, and one for hiccups.",
        )
        t("Some of them were better than the old ones, and {hero} kept them.")
    else:
        t(
            (
                "{hero} knelt down and drew a house in the dust with a stick. {newcomer} took the stick "
                "and drew another, with a [palm tree|round roof] and a goat on top."
            ),
            (
                "{hero} took a bit of chalk and drew the {town} on the wall, with a cat. {newcomer} took "
                "the chalk and drew another town, all domes and stairs."
            ),
        )
        t(
            "Then came a boat, and a big wave, and a very small family. {hero} looked at it for a long time.",
            (
                "{newcomer} drew a long road, and at the end of it somebody very small. {hero} needed no "
                "words to read that."
            ),
        )
        t(
            "{hero} drew one thing more: a table, and an empty chair, and an arrow.",
            "Beside it {hero} drew a second small figure, and joined the two by a line.",
        )
    t.paragraph()
    t(
        'That night {newcomer.name} ate {food} with {hero.him} and {parent}, and said "thanks" eleven times.',
        "<next_day> there were two of them by the gate, and the day after that there were six.",
    )
    close(t, "friendship" if way != "drawing" else "kindness")
