"""Fables of animals, about who is best and who has most."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("fox", "stork", "strength failed", "small one won", cast="animals")
def who_is_the_best(t: Teller) -> None:
    """The animals argue about who is the most useful, and something happens that decides it."""
    t.cast("rival", relation="rival")
    t.person("elder")
    opening(t, '"The strongest is the best," said {rival.name}. "Anybody knows that."')
    t(
        "The animals were arguing about who was the best of them all.",
        "One {time}, {at public}, a quarrel broke out about who was the most [useful|important].",
    )
    t.say(
        "rival",
        "I am the [strongest|fastest]. I can jump over that log with my eyes shut.",
        "without me you would all be lost.",
    )
    t.say(
        "friend",
        "and I have the finest [tail|voice]. Everybody says so.",
        "what use is that? I can dig a hole in the time it takes you to boast.",
    )
    t(
        "Only {hero.name} said nothing. {hero} could not think of anything that {~hero} was best at."
        if t.hero.temper != "proud"
        else "{hero} said that {~hero} was the cleverest, and that the others need not even try."
    )
    t("Then {elder} looked up.")
    t.say(
        "elder",
        "be quiet for a moment. I smell smoke."
        if t.world.season == "summer"
        else "be quiet for a moment. Somebody is crying for help.",
    )
    t.paragraph()
    if t.world.season == "summer":
        t(
            "The dry grass was burning! {rival} ran [left|right] and then back again. There was fire "
            "on three sides, and on the fourth was the water."
        )
    else:
        t(
            "A little mouse had fallen into a deep, narrow hole, and the water in it was rising.",
            (
                "From a crack in the ground came a thin little voice. A young mouse sat at the bottom, "
                "up to the chin in water, and the water rose."
            ),
            (
                "They ran to look. A baby shrew had slipped into a hole that was as deep as a well and "
                "hardly wider than a fist."
            ),
        )
    t.mark("strength failed")
    t(
        "{rival} tried first, with a mighty leap, but strength was of no use here.",
        "{rival} sprang at it, and got stuck at once, and had to be pulled out by the tail.",
        "{rival} pulled and pushed and puffed. It did not help in the least.",
    )
    t.mark("fox" if t.chance(0.5) else "stork")
    if t.branches[-1] == "fox":
        t(
            "A fox who was passing gave them good advice from a safe distance, and that was of no use either.",
            "A clever fox stopped to explain why it could not be done.",
        )
    else:
        t(
            "A stork came by, but its legs were too long, and its beak was too short.",
            "A stork offered its long bill, but its bill was not half long enough.",
        )
    t.mark("small one won")
    t(
        (
            '"I am small," said {hero.name}. "Perhaps small will do." And {~hero} told the others to '
            "take hold of one another, tail by tail, in a long chain."
        ),
        (
            "It was {hero.named} who had the idea. If no one was enough, {~hero} said, then perhaps "
            "all of them together were, in a row, each holding on to the next."
        ),
    )
    t(
        (
            "So they did it. The strong one stood at the [top|end] and held on, the quick one ran to "
            "and fro, and the small one went where nobody else could go."
        ),
        (
            "And that was how they did it: the heaviest at one end, the longest in the middle, and "
            "right at the front the very smallest."
        ),
    )
    t(
        (
            "When everybody was safe, they lay in the grass and panted, and nobody could remember "
            "what the quarrel had been about."
        ),
        (
            "Afterwards they lay in a heap and got their breath back. Somebody asked what they had "
            "been quarrelling about, and nobody could say."
        ),
        "Nobody cheered, because nobody had any breath left. They only looked at one another, and grinned.",
    )
    t.say(
        "elder",
        "well? Which of you is the best?",
        "so, who was it, then? Who is the most important?",
        "and who has won, if I may ask?",
    )
    t.say("hero", "the chain.", "all of us, one after the other.")
    close(t, "friendship")


@plot("stone", "nut", "too heavy", cast="animals", season="autumn")
def greedy(t: Teller) -> None:
    """Somebody keeps everything, and finds that it is too much."""
    t.pick(hoard="stolen_animal")
    t.person("friend")
    opening(t, "Mine, thought {hero.name}, and mine, and mine.")
    t(
        "{hero} found a hollow tree full of {hoard}, left there by somebody long ago.",
        (
            "That {season_name} there were more {hoard} {at wild} than anybody had ever seen, and "
            "{hero} got there first."
        ),
    )
    t("{friend} came by and asked for a few.", "Soon {friend} came along, with an empty basket and a hopeful face.")
    t.say("hero", "I found them. Find some of your own.", "perhaps tomorrow. I must count them first.")
    feel(t, "friend", "sad")
    t.paragraph()
    way = t.turn("stone", "nut", "too heavy")
    if way == "too heavy":
        t(
            (
                "{hero} packed them all into one big sack, and pulled. The sack did not move. {hero} "
                "pulled harder, and it tore from top to bottom."
            ),
            (
                "{hero} wanted to have them all at home by nightfall, and tied them up in one enormous "
                "bundle. {hero} heaved, and the bundle burst."
            ),
        )
        t(
            (
                "Everything rolled down the bank, and {hero} rolled after it, and ended up in the ditch "
                "with a bump on {~hero.his} head."
            ),
            (
                "Down the slope it went, every last bit, bouncing and rolling, and {hero} went with it "
                "and landed in the nettles."
            ),
        )
        t(
            "Who was it that came to help? It was {friend.named}, who did not say a word about tomorrow.",
            "{friend} heard the noise and came running, and began to pick things up, and asked for nothing.",
            "And there was {friend.named}, holding out a paw.",
        )
    elif way == "nut":
        t(
            (
                "{hero} filled {~hero.his} cheeks until they would not close, and stuffed some more into "
                "{~hero.his} ears. Then a hawk came over."
            ),
            (
                "{hero} stuffed {~hero.his} mouth so full that {~hero} looked like a turnip. And just "
                "then a buzzard came sailing over the trees."
            ),
        )
        t(
            "{hero} wanted to call out, to warn {friend.him}, and could not. Not one sound came out.",
            "{friend} sat in the open and had not seen it. {hero} tried to shout, and could only say: mmf.",
        )
        t(
            (
                "So {~hero} spat them all out, every single one, and shouted. {friend} was under the "
                "roots before the shadow had passed."
            ),
            (
                "There was only one thing to do. Out they flew, in all directions, and after them came "
                "the shout. {friend} dived into a hole, and not a moment too soon."
            ),
        )
    else:
        t(
            (
                "{hero} rolled a great stone in front of it, so that nobody could get in. It was a very "
                "good stone. In the evening {hero} could not get in either."
            ),
            (
                "To be on the safe side, {hero} blocked the entrance with a boulder. It fitted so well "
                "that it could not be got out again."
            ),
            (
                "{hero} stopped up the opening with a stone as big as a cow's head. That kept everybody "
                "out, and {hero.him} as well."
            ),
        )
        t(
            "{hero} pushed and scratched and begged. The stone was as [patient|deaf] as stones are.",
            "{hero} tried until it was dark, and broke a claw. The stone did not care.",
        )
        t(
            "It took {friend.named}, and three others, and a long branch to move it.",
            "In the end {friend} came after all, and brought some others, and they all pushed together.",
        )
    t.say("hero", "will you have some?", "take as many as you like. No, take more.", how="")
    t.say("friend", "are you sure? It isn't tomorrow yet.", "only if you sit down and eat with me.")
    t(
        "They made a fire of pine cones, and everybody came, and there was enough.",
        (
            "They sat in a circle and passed them round, and {hero} counted something else for once: "
            "{~hero.his} friends."
        ),
    )
    close(t, "sharing")
