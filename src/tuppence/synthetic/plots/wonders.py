"""Wishes that are taken literally, and tales of how things came to be."""

from __future__ import annotations

from tuppence.synthetic.plots import plot
from tuppence.synthetic.scenes import close, opening
from tuppence.synthetic.teller import Teller


@plot("wasted two", "wished wisely", "wished it free")
def three_wishes(t: Teller) -> None:
    """Somebody gets wishes, which do what was said and not what was meant."""
    t.pick(wisher="wish_giver", wish="wish")
    opening(t, '"Three," said the {wisher}. "And not one more, so think first."')
    t(
        (
            "{hero} pulled {a wisher} out of a [puddle|spider's web|bramble bush] {at wild}, without "
            "thinking anything of it."
        ),
        "{at wild}, <spot>, {hero} found {a wisher}, which was stuck and in a very bad temper.",
    )
    t(
        ('"One good turn deserves another," said the {wisher} in a voice like a rusty hinge. "You have three wishes."'),
        ('"You took your time," said the {wisher}. "But rules are rules. Three wishes, and no complaints afterwards."'),
        (
            '"Thank you, I suppose," said the {wisher}, and brushed itself down. "That makes three '
            'wishes. Be quick about it."'
        ),
    )
    t("{hero} did not believe a word of it.", "{hero} looked round to see who was playing a joke.")
    t.paragraph()
    t.mark("wasted two")
    way = int(t.uniform() * 3)
    if way == 0:
        t(
            (
                '"I wish that it would stop being so hot!" {hero} said. At once snow fell, in the middle '
                "of summer, and the cherries froze on the trees."
            )
            if t.world.season == "summer"
            else (
                '"I wish it were summer," {hero} said. At once the sun blazed, all the bees woke up, and '
                "there was not a flower for them anywhere."
            )
        )
        t(
            '"I wish it were the way it was before!" {~hero.he} cried. And so it was, and two wishes were gone.',
            (
                '"Put it back!" cried {hero.name}. "I wish it had never happened!" It was put back, and '
                "there was one wish left."
            ),
        )
    elif way == 1:
        t(
            (
                '"Then I wish for {food}," {~hero.he} said, for a joke. First there was a plateful, and '
                "then a barrowful, and then it spilled out into the road."
            ),
            (
                "{hero} was hungry, and wished for {food} before {~hero} had thought. It came in one "
                "dish, and then in two dishes, and then in forty."
            ),
        )
        t(
            (
                "It would not stop. It had reached the windows when {hero} wished it away, and with that "
                "the second wish was gone."
            )
            if not t.hero.is_animal
            else (
                "It would not stop. It had reached the lowest branches when {hero} wished it away, and "
                "with that the second wish was gone."
            )
        )
    else:
        t(
            (
                '"I wish for {a wish}," said {hero.name}, and there it was. But {friend}, who came by, '
                "looked at it so longingly that it gave no pleasure."
            ),
            (
                "The first wish was easy. {hero} asked for {a wish} and got it at once, but {friend} "
                "stood by and had none, and it was hard to be happy like that."
            ),
        )
        t(
            (
                '"I wish {friend} had one just like it," said {hero.name}. Then {friend} was happy, and '
                "two wishes were gone."
            ),
            "So {hero} wished for another, for {friend.him}. That made two, and two from three is one.",
        )
    t(
        "Now there was one left. {hero} sat down on a stone and thought until the stars came out.",
        "One wish was left. {hero} carried it about all day, like an egg.",
        '"One more," said the {wisher}, and tapped its foot. {hero} did not hurry this time.',
    )
    if t.chance(0.5):
        t.mark("wished wisely")
        t(
            (
                "{hero} thought of gold, and of wings, and of {a wish}. Then {~hero} thought of "
                "{grand.named}, who had been coughing for weeks."
            ),
            (
                "There were so many things: {a wish}, and a castle, and never to be cold. And then there "
                "was {grand.named}, who had not got up for weeks."
            ),
        )
        t(
            (
                "{hero} said it very clearly, so that nothing could go wrong. When {~hero} came home, "
                "{grand} was up and about and asking for {food}."
            ),
            (
                "{hero} whispered it, and ran home. {grand} stood in the doorway with pink cheeks and "
                "wanted to know why supper was so late."
            ),
        )
        close(t, "kindness")
    else:
        t.mark("wished it free")
        t.say("hero", "what would you wish for, if you had one?")
        t(
            "For a while there was no answer. Nobody had ever asked that before.",
            (
                "The {wisher} opened its mouth, and shut it again. It had granted a thousand wishes and "
                "never been asked for one of its own."
            ),
        )
        t(
            (
                '"Never to have to grant another," said the {wisher} in the end. "It is dull, and people '
                'are always cross afterwards."'
            ),
            ('"To go home," said the {wisher} at last, in quite another voice. "It is a long time since I was there."'),
        )
        t(
            (
                "So that is what {hero} wished. There was a small bang, a smell of peppermint, and a "
                "voice, already far off, that called out thanks."
            ),
            (
                '"Then that is my wish," said {hero.name}. The {wisher} gave a great shout, turned three '
                "somersaults in the air and was gone, and where it had been there grew a daisy."
            ),
        )
        close(t, "kindness")


@plot("heron", "hare", "robin", "moon", cast="animals")
def how_it_came_to_be(t: Teller) -> None:
    """A tale of origins: why some creature is as it is."""
    t.person("elder")
    t.person("friend")
    way = t.turn("heron", "hare", "robin", "moon")
    asked = {
        "heron": "why does the heron stand on one leg",
        "hare": "why does the hare sleep with its eyes open",
        "robin": "why is the robin's breast red",
        "moon": "why is the moon sometimes thin",
    }[way]
    opening(t, f'"But {asked}?" asked {{hero.name}}, for the third time that day.')
    t(
        (
            "{hero} asked questions from morning till night, and most of them were about [somebody "
            "else|things that nobody knew]."
        ),
        "{friend} and {hero} lay {at wild} and wondered about everything.",
    )
    t.say("hero", f"{asked}?")
    t(
        "{friend} did not know. {friend} had never thought about it.",
        "{friend} said that it had always been so, which is no answer.",
    )
    t(
        "So they went to {elder.him}, who knew all the old tales, and had been there for most of them.",
        (
            '"Let us ask {elder}," said {friend.name}. {elder} was so old that {~elder} had known '
            "the hills when they were small."
        ),
        ("If anybody knew, it was {elder.named}, who was sunning {~elder.himself} and had nothing against a question."),
    )
    t.paragraph()
    if way == "heron":
        t(
            "Long ago, {elder} told them, the heron had two legs on the ground like anybody else, "
            "and was always in a hurry. It ran through the [pond|water], and the fish heard it "
            "coming and swam away."
        )
        t(
            'It grew thin. "How do you catch anything?" it asked the water lily. "I wait," said the '
            'lily. "I have only one foot, and I stand on it."'
        )
        t(
            "So the heron tucked one leg up and stood as still as a flower. The fish came to see "
            "what sort of lily that was, and the heron has never been hungry since."
        )
        close(t, "patience")
    elif way == "hare":
        t(
            "Long ago, {elder} told them, the hare slept more soundly than anybody else. One night "
            "it promised to keep watch, while the others were asleep in the snow."
        )
        t(
            "It closed its eyes for a moment only. The wolf came, and took nothing but the supper, "
            "but it might have been worse."
        )
        t(
            "The hare was so ashamed that it vowed never to shut its eyes on its friends again. It "
            "has kept its word, even in its dreams."
        )
        close(t, "kindness")
    elif way == "robin":
        t(
            "Long ago, {elder} told them, all the fires in the world went out in one night, except "
            "for a single spark on the [mountain|far hill]. It was so cold that the wind froze."
        )
        t(
            "The eagle would not go, because it did not want to singe its feathers. The robin was "
            "small, brown and nobody in particular, and it went."
        )
        t(
            "It carried the spark home on its breast, and that was burnt quite red. It hurts no "
            "longer, but the colour has stayed, so that nobody forgets."
        )
        close(t, "courage")
    else:
        t(
            "Long ago, {elder} told them, the moon was always round. Then it looked down and saw "
            "that the little stars were too weak to shine."
        )
        t(
            "So every night it broke off a slice of itself and gave it away, until there was nothing "
            "left. And the stars, who had eaten, began to shine, "
            "and gave it all back, a bit at a time."
        )
        t("They have done so ever since, first one and then the other, and nobody has ever counted who owes whom.")
        close(t, "sharing")
