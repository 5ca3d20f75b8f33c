"""Shyness before a crowd, and a dog that nobody dares to pass."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, feel, opening
from tuppence.synthetic.teller import Teller


@plot("voice came", "friend started", "told the truth")
def stage_fright(t: Teller) -> None:
    """Somebody shy has to speak or sing before everybody."""
    t.pick(feast="feast")
    opening(t, "{hero.name} opened {hero.his} mouth, and nothing came out.")
    t(
        "At the {feast} {hero} was to [sing a song|say a poem|make a speech] in front of everybody.",
        "Somebody had to [sing the first song|say the poem] at the {feast}, and they had chosen {hero.named}.",
    )
    t(
        "{hero} practised {at wild}, where only the [beetles|crows|snails] were listening, and knew every word.",
        "At home {~hero} knew it forwards and backwards, even in {~hero.his} sleep.",
    )
    t(
        "But when the {time} came and {hero} saw all those faces, every word flew away like a flock of starlings.",
        "But in front of the crowd {~hero.his} head was suddenly as empty as a jug.",
    )
    feel(t, "hero", "afraid")
    t.paragraph()
    way = t.turn("voice came", "friend started", "told the truth")
    if way == "voice came":
        t("Then {~hero} found {friend} in the crowd, pulling the most dreadful face.")
        t("{hero} nearly laughed. And in the place where the laugh had been, there was the first word.")
        t("The others followed it, one after another, like ducklings.")
    elif way == "friend started":
        t(
            "It was very quiet. Then, at the back, somebody began in a [small|croaky] voice. It was "
            "{friend.named}, who could not keep a tune to save {~friend.his} life."
        )
        t(
            "{hero.name} had to join in, if only to put it right. Soon the two of them were going at "
            "full tilt, and then everybody was."
        )
    else:
        t.say(
            "hero",
            "I have forgotten it all. I am too frightened.",
            "I knew it this morning. Now there are so many of you.",
        )
        t("There was a pause. Then {elder} stood up.")
        t.say(
            "elder",
            "so was I, when I stood there. Tell us that instead.",
            "then tell us something that you have not learned by heart.",
        )
        t("So {hero} told them about {wild}, and how <sight>, and forgot to be afraid. Nobody even coughed.")
    t("How they clapped! [Hats|Caps] flew into the air.", "When it was over, they made {hero.him} do it again.")
    feel(t, "hero", "proud")
    close(t, "courage")


@plot("bone", "sat down", "thorn", cast="people")
def the_big_dog(t: Teller) -> None:
    """A dog that everybody fears turns out to have a reason."""
    t.pick(dog="dog_name")
    opening(t, "The dog was as big as a calf, and its name was {dog}.")
    t(
        ("On the way {to public} one had to pass a [gate|yard], and behind it lived {dog}, the biggest dog {in_town}."),
        "Everybody was afraid of {dog}, who guarded the yard of {elder.named} and barked like a cannon.",
    )
    t(
        "{hero} always took the long way round, [through the nettles|over two walls].",
        "Each day {hero} ran past with {~hero.his} eyes shut.",
    )
    feel(t, "hero", "afraid")
    t.paragraph()
    way = t.turn("bone", "sat down", "thorn")
    if way == "thorn":
        t(
            "One day the barking sounded different. {hero} stopped and looked through the fence. "
            "{dog} was holding up one paw."
        )
        t("There was a thorn in it, as long as a match. {hero.his} hands shook, but {~hero} reached through the bars.")
        t.say("hero", "hold still. I am just as frightened as you are.", how="whispered|said")
        t(
            "Out came the thorn. {dog} looked at it, and at {hero.him}, and then licked {hero.his} "
            "face from chin to hair."
        )
    elif way == "bone":
        t("{friend} knew a bit about dogs.")
        t.say("friend", "perhaps nobody has ever brought {dog} anything.", "a dog that barks so much is lonely.")
        t(
            "<next_day> {hero} pushed half of {~hero.his} sausage under the gate and ran. The "
            "second time {~hero} only walked. The third time {~hero} stayed."
        )
        t(
            "{dog} ate the sausage, thought for a moment, and laid a present at {hero.his} feet: a "
            "very old, very wet slipper."
        )
    else:
        t(
            "One {time} the gate stood open, and there was no long way round. {hero} could not run; "
            "{~hero.his} legs would not do it."
        )
        t("So {hero} simply sat down in the road. {dog} stopped barking. Nobody had ever done that before.")
        t("The dog sniffed {hero.his} ear, sighed, and lay down as well.")
    t("{elder} came out and could hardly believe it.")
    t.say("elder", "in seven years nobody has made friends with {dog}.", "well, I never. {dog} does not like anybody.")
    t("From that day on {hero} had the largest friend {in_town}, and nobody ever [teased|troubled] {hero.him} again.")
    close(t, "courage" if way != "bone" else "kindness")
