"""Pride: a boast that the hero has to prove, and a race that can be won in several ways."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("asked to prove it", "told the truth", "learned in secret", "was found out")
def boast(t: Teller) -> None:
    """Somebody says they can do what they cannot."""
    t.pick(feat="feat")
    opening(t, '"I can do that with my eyes shut," said {hero.name}, who could not do it at all.')
    t(
        (
            "The others were talking about what they could do. {friend} could [whistle through "
            "{~friend.his} teeth|stand on {~friend.his} head]."
        ),
        "{friend} had just [won a race|learned to dive], and everybody admired {friend.him}.",
    )
    t("{hero} did not like to be outdone.", "{hero} felt left out, and the words jumped off {~hero.his} tongue.")
    t.say("hero", "that is nothing. I can {feat}.", "I can {feat}. I have done it [often|a hundred times].")
    t.say(
        "friend",
        "really? Show us on [Saturday|Sunday]!",
        "then you must do it for us, at the feast!",
        "I'd love to see that.",
    )
    t.mark("asked to prove it")
    feel(t, "hero", "ashamed")
    t.paragraph()
    t(
        "For {hero} could not {feat}. {~hero.he} had only [read|dreamed|heard] about it.",
        "The trouble was that {hero} had never done any such thing.",
        "It was not true. {hero} had once seen somebody do it, from a long way off.",
    )
    way = t.turn("told the truth", "learned in secret", "was found out")
    if way == "told the truth":
        t(
            (
                "{hero} lay awake, and the nearer the day came, the bigger the lie grew. It ate "
                "{~hero.his} supper. It sat on {~hero.his} bed."
            ),
            "Every night the lie came and sat down a little closer.",
            "{hero} tried to think of a way out. One could be ill, perhaps, or move to another country.",
        )
        t(
            "In the end {hero} went to {friend.him}, and said it all in one breath.",
            "So {hero} went to look for {friend.him}, and got it over with, like bitter medicine.",
        )
        t.say("friend", "is that all? I can't {feat} either.", "I wondered. You went so pale when I asked.")
        t.say("friend", "we could learn it together, though.", "shall we try it, the two of us? Where nobody sees?")
        close(t, "honesty")
    elif way == "learned in secret":
        t(
            (
                "So {hero} got up before sunrise and practised {at wild}. {hero} fell. {~hero.he} tried "
                "again, and fell better."
            ),
            "{elder} caught {hero.him} trying. Instead of laughing, {elder} rolled up {~elder.his} sleeves."
            if not t.hero.is_animal
            else "{elder} caught {hero.him} trying. Instead of laughing, {elder} showed {hero.him} how.",
        )
        t(
            "When the day came, {hero} was still not [very |]good at it, but {~hero} could do it, a little.",
            (
                "Then the day was there. {hero} was stiff all over, and black and blue, but {~hero} "
                "could do it, more or less."
            ),
        )
        t.say(
            "hero",
            "I lied. I could not do it when I said so. I can now, if you don't look too closely.",
            "when I said it, it was a lie. I have been trying to make it true. This is how far I got.",
        )
        t(
            "They looked very closely, and they cheered.",
            "They all held their breath. Then somebody whistled, and the clapping began.",
            "It went wrong twice. The third time it went right, for about as long as a sneeze.",
        )
        close(t, "work")
    else:
        t(
            ("The day came. Everybody stood {at public} and waited. {hero} said that {~hero} had a [sore foot|cough]."),
            (
                "They were all there, even those who had not been asked. {hero} stood in the middle and "
                "examined {~hero.his} toes."
            ),
        )
        t(
            "Then {~hero} said that it was too windy. Then {~hero} said nothing more.",
            "After that {~hero} needed a drink of water, and after that there was nothing left to need.",
        )
        t(
            "Somebody giggled. It was {friend.named} who stepped forward.",
            "It grew very quiet. Then {friend} pushed through to the front.",
        )
        t.say(
            "friend",
            "once I said that my aunt was a pirate. She sells turnips."
            if not t.hero.is_animal
            else "once I said that I had bitten a wolf. It was a log.",
        )
        t(
            (
                "Now everybody laughed, but not at {hero.him}, and one after another they told of the "
                "fibs they had told."
            ),
            (
                "One after another they owned up, to dragons they had fought and uncles they had never "
                "had. By the end {hero} was laughing harder than anybody."
            ),
        )
        close(t, "honesty")


@plot("won by practice", "stopped to help", "cheated", "came last", "shared the prize")
def contest(t: Teller) -> None:
    """A race or a contest; what somebody does on the way matters more than who is first."""
    t.pick(race="race", prize="trophy")
    t.cast("rival", relation="rival")
    opening(t, "Ready, steady, and before anybody said go, {hero.name} sneezed.")
    t(
        "Every {season_name} there was {a race} from {high} {to water}, and the prize was {a prize}.",
        "The whole {town} talked about nothing but the {race}. The winner would get {a prize}.",
    )
    t(
        "{hero} had come [last|fourth|second] the year before, and wanted to win at last.",
        "{hero} had dreamed of {a prize} all year.",
    )
    t(
        "{rival} had won it twice and let everybody know.",
        "The favourite was {rival}, who was {rival.trait} and knew every bend.",
    )
    t(
        "{hero} practised every {time}, until {~hero.his} legs ached.",
        "For weeks {hero} got up early to train with {friend.him}.",
    )
    t.paragraph()
    t("On the great day <sky>.", "The day came, and <season>, and everybody came to watch.")
    t(
        "Off they went! {rival} took the lead, and {hero} was close behind.",
        "{rival} got away first. {hero} stayed at {rival.his} heels.",
    )
    temper = t.hero.temper
    if temper in ("kind", "shy", "careful") and t.chance(0.7):
        t.mark("stopped to help")
        t(
            "Then, at the last bend, {rival} fell, and did not get up. {hero} was past already. The way was free.",
            "In the end {hero} had drawn ahead, when {~hero} heard a cry behind. {rival} had twisted a foot.",
        )
        t(
            "{hero} looked at the finish. Then {~hero} turned round and went back.",
            "It was only thirty steps to the line. {hero} took thirty steps, the other way.",
            "{hero} could already hear the cheering. Then {~hero} stopped.",
        )
        t.say("rival", "go on! You would have won!", "what are you doing? Run!")
        t.say("hero", "lean on me.", "put your arm round my neck.", "it is only a race.")
        t(
            (
                "The others streamed past. {hero} and {rival} came in last of all, on three good legs, "
                "and nobody cheered for the winner half so loudly."
            )
            if not t.hero.is_animal
            else (
                "The others streamed past. {hero} and {rival} came in last of all, side by side, and "
                "nobody cheered for the winner half so loudly."
            )
        )
        if t.chance(0.5):
            t.mark("shared the prize")
            t(
                "The winner looked at the prize, and then at them, and handed it to both of them.",
                "The prize stood on two shelves after that, a week here and a week there.",
            )
        close(t, "kindness")
    elif temper in ("hasty", "proud") and t.chance(0.7):
        t.mark("cheated")
        t(
            "Nobody was looking. {hero} knew a short cut through {wild}, and took it.",
            (
                "There was a gap in the hedge, and behind it a way that saved half a mile. {hero} looked "
                "round, and slipped through."
            ),
        )
        t(
            "So {hero} came in first, and they put {a prize} into {~hero.his} {hands}.",
            "And so it was {hero.named} who got {a prize}, and everybody clapped.",
        )
        t(
            "It was heavier than it looked. {rival} came up, red in the face, and held out a hand."
            if not t.hero.is_animal
            else "It was heavier than it looked. {rival} came up, out of breath, and bowed."
        )
        t.say(
            "rival",
            "well done. You were faster than I have ever been.",
            "I gave all I had, and you were still in front of me. I take off my hat to you.",
        )
        feel(t, "hero", "ashamed")
        t.say(
            "hero",
            "no. I took the short cut. It is yours.",
            "I wasn't. I cut through, and I should not have.",
            how="said|whispered|muttered",
        )
        t(
            "There was a murmur. {rival} took the prize, turned it over and set it down between them.",
            "Nobody knew where to look. Then {rival} began, very slowly, to grin.",
        )
        t.say(
            "rival",
            "we shall run again tomorrow. Only you and I, the long way.",
            "then let us find out tomorrow, just for ourselves. By the road.",
        )
        t(
            "They did, and it was the finest race of all, though nobody ever found out who won.",
            "They ran the next day, in the rain, with nobody watching, and argued for years about who had won.",
        )
        close(t, "honesty")
    elif t.chance(0.6):
        t.mark("won by practice")
        t(
            "But {rival} had not practised at all that year, and on the hill {rival.his} breath grew short.",
            (
                "But {rival} kept looking back to see how far ahead {~rival} was, and ran straight into "
                "[a haystack|a bush]."
            ),
        )
        t(
            ("{hero} did not look back. Step by step {~hero} drew level, and at the last bend {~hero} was in front."),
            (
                "{hero} thought of nothing but the next step, and the next. Then there was nobody in "
                "front of {~hero.him} any more."
            ),
        )
        feel(t, "hero", "proud")
        t.say("rival", "next year I shall practise.", "how did you do that?")
        t.say("hero", "every {time}, {at high}. Come along, if you like.")
        close(t, "work")
    else:
        t.mark("came last")
        t(
            (
                "Then {hero} saw something {at wild} that {~hero} had never seen before: <sight>. {hero} "
                "stopped to look, only for a moment."
            ),
            "The course led past {wild}, and there {hero} stood still in amazement, because <sight>.",
        )
        t(
            "It was a long moment. When {hero} trotted over the line, they were already sweeping up.",
            "When {hero} remembered that there was a race, the winner had already gone home to tea.",
        )
        t.say("friend", "what happened to you?", "you could have won! Where were you?")
        t(
            "{hero} told {friend.him}, and the next day they went there together, slowly, and it was "
            "better than {a prize}."
        )
        close(t, "curiosity")
