# %% [markdown]
# # 6 · Classification: does a language model help to read?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/06_Classification.ipynb)
#
# Somebody gives you labelled text messages and asks for a spam filter. You have a pretrained model. It is tempting to
# finetune it at once. This chapter first asks what simpler methods reach, and then whether the language model beats them.
#
# **You will learn**
#
# - which two baselines come before any neural network
# - why a classifier reads the last *real* token, and what goes wrong otherwise
# - to train the head, the last block, an adapter or everything, and what pretraining is worth
# - to compute F1, the ROC curve, its area and the calibration error by hand
# - to choose a threshold from costs, and to give a verdict with an interval
#
# **You need**: chapter 5's idea of a base model. **AWS services**: S3, SageMaker training and IAM, rehearsed on this machine.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(6)
chapter

# %%
import json, shutil

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn import metrics as sk
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from tuppence.evaluation.rows.labelled import read_split
from tuppence.evaluation.scoring.class_baselines import majority_class
from tuppence.evaluation.scoring.classifier import class_probabilities
from tuppence.evaluation.statistics.bootstrap import interval, resamples
from tuppence.evaluation.statistics.class_metrics import Predictions, bootstrap_measures, measures, reliability
from tuppence.model.heads import SequenceScorer, train_only
from tuppence.model.saving import save_model

shutil.rmtree(chapter.folder, ignore_errors=True)  # runs of an earlier visit
chapter.folder.mkdir(parents=True)

# %% [markdown]
# ## Step 1: the majority
#
# The messages are invented, and modelled on the SMS Spam Collection: firms and friends, prizes and parcels. The test
# messages come from another seed, and none of them is a training message.
#
# **Guess first**: a filter calls every message ham. How often is it right?

# %%
messages = tp.sms(chapter.pick(test=120, laptop=1200, gpu=6000))
seen = {message.text for message in messages}
test = [message for message in tp.sms(chapter.pick(test=80, laptop=800, gpu=3000), seed=1) if message.text not in seen]
texts = [message.text for message in test]
gold = np.array([message.label == "spam" for message in test]).astype(int)  # 1 is spam

always_ham = np.zeros_like(gold)
right = sum(int(guess == truth) for guess, truth in zip(always_ham, gold, strict=True)) / len(gold)  # by hand
assert right == sk.accuracy_score(gold, always_ham)
assert sk.f1_score(gold, always_ham, zero_division=0) == 0
library = majority_class(
    messages, ["ham", "spam"], rows=len(test)
)  # how often each label is among the training messages
assert np.allclose(library[:, 1], np.mean([message.label == "spam" for message in messages]))
assert np.array_equal(library.argmax(axis=1), always_ham)
tp.Table(["label", "message"], [[message.label, message.text] for message in messages[:6]])

# %%
tp.say(
    f"Of {len(test)} test messages, {gold.sum()} are spam. Saying ham every time is right in {right:.1%} of the cases, "
    "and finds no spam at all. Accuracy alone praises a filter that does nothing."
)

# %% [markdown]
# ## Step 2: count words first
#
# TF-IDF turns a message into a row of numbers: how often each word and each pair of words occurs, less for words that
# occur everywhere. Logistic regression adds up a weight for each. It trains in a moment.
#
# **Guess first**: how much is left for a language model to gain?

# %%
pattern = r"(?u)\w+|[^\w\s]"  # words, and every other sign by itself


def count_words(rows):
    """P(spam) of the test messages, (N, 2), by a model that counts words."""
    counter = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=pattern)
    features = counter.fit_transform([row.text for row in rows])
    model = LogisticRegression(C=100.0, max_iter=1000).fit(features, [row.label for row in rows])
    assert model.classes_.tolist() == ["ham", "spam"]
    return model.predict_proba(counter.transform(texts))


def scores_of(probabilities):
    """Name → value, by the library."""
    found = measures(Predictions(gold, probabilities, positive=1))
    return {name: float(found[name][0]) for name in ("accuracy", "f1", "auc", "ece")}


# by hand, for one small text: smoothed idf, one plus the logarithm of the count, length one
small = ["win a prize", "a prize a prize a day", "see you"]
counter = TfidfVectorizer(sublinear_tf=True, token_pattern=pattern)
by_library = counter.fit_transform(small).toarray()[1]
words = small[1].split()
by_hand = np.zeros(len(counter.vocabulary_))
for word, column in counter.vocabulary_.items():
    documents = sum(word in text.split() for text in small)
    if word in words:
        by_hand[column] = (1 + np.log(words.count(word))) * (1 + np.log((1 + len(small)) / (1 + documents)))
assert np.allclose(by_hand / np.linalg.norm(by_hand), by_library)

words_alone = scores_of(count_words(messages))
tp.say(
    f"Counting words is right in {words_alone['accuracy']:.1%} of the cases, with an F1 of {words_alone['f1']:.3f}. "
    "That is the number to beat."
)

# %% [markdown]
# ## Step 3: the last real token
#
# A GPT makes one vector for each token. Which one should the head read? Under the causal mask the first token has seen
# nothing but itself; only the last one has seen the whole text. In a batch, short texts are padded on the right, so the
# last *column* is not the last *token*.
#
# **Guess first**: padding is never attended to by a real token. What happens to column $-1$ if there is more of it?

# %%
base = tp.course.base()
body, tokenizer = base.model, base.tokenizer
ids = torch.tensor(tokenizer.encode("You have won a prize. Reply YES to claim."), device=chapter.device)
torch.manual_seed(6)
scorer = SequenceScorer(body, scores=2).to(chapter.device).eval()


def padded(amount):
    return torch.cat([ids, ids.new_zeros(amount)])[None]


lengths = torch.tensor([len(ids)], device=chapter.device)
with torch.no_grad():
    hidden = body.hidden(padded(8))
    by_hand = hidden[:, len(ids) - 1] @ scorer.score.weight.T
    assert torch.allclose(scorer(padded(8), lengths), by_hand, atol=1e-5)
    alone = scorer(padded(0), lengths)
    for amount in (1, 8, 32):
        assert torch.allclose(scorer(padded(amount), lengths), alone, atol=1e-4)  # padding changes nothing
tp.source(SequenceScorer.forward)

# %% [markdown]
# The forward pass takes one vector for each text, at its length minus one. The next step trains the head; then we read
# the wrong column on purpose.
#
# ## Step 4: head, last block, adapter, or everything?
#
# One function trains each of them, on the same rows and for the same number of steps.
#
# The learning rates differ: a fresh head alone takes large steps, weights that have been trained before take small ones. The
# rates were compared on messages that are neither trained on nor tested here.
#
# **Guess first**: put the four in order before you run the cell. And where does the same network stand if it starts from
# random numbers instead of the base?

# %%
steps = chapter.pick(test=4, laptop=120, gpu=600)
rates = {"head": 2e-2, "last-block": 3e-3, "lora": 2e-3, "all": 2e-3}


def train(start, rows, name, train="all", steps=steps):
    """A classifier from `start`, a run or a folder. Training reads eight tenths of the rows.

    Where embeddings are trained, they have a larger rate: many tokens of these messages are rare in stories.
    """
    return tp.classify(
        start, rows, chapter.folder / name, steps=steps, finetune__train=train, learning_rate=rates[train],
        embedding_learning_rate=1e-2, finetune__fractions=(0.8, 0.1, 0.1), finetune__split_seed=0, eval_every=10_000,
    )  # fmt: skip


runs = {kind: train(base, messages, kind, kind) for kind in rates}

torch.manual_seed(6)
untrained = chapter.folder / "untrained"
save_model(tp.GPT(body.config), untrained, tokenizer=tokenizer)
runs["from scratch"] = train(untrained, messages, "scratch")

# %%
rows_read = read_split(runs["all"].path, "training")  # what the network trained on; the word counter gets the same rows
answers = {"TF-IDF": count_words(rows_read)}
answers |= {name: class_probabilities(run.loaded, texts) for name, run in runs.items()}
results = {name: scores_of(probabilities) for name, probabilities in answers.items()}


def trained_numbers(name):
    model = SequenceScorer(tp.GPT(body.config), scores=2)
    train_only(model, name if name in rates else "all", tp.LoRA(rank=runs["lora"].config["lora"]["rank"]))
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


# by hand: the head has a weight for each number of the vector and each label; r (in + out) is an adapter of rank r
config, adapter = body.config, json.loads((runs["lora"].path / "adapter/adapter_config.json").read_text())
D, r = config.d_model, adapter["r"]
widths = [(D, 3 * D), (D, D), (D, 4 * D), (4 * D, D)]  # queries, keys and values; projection; the two layers of the MLP
assert trained_numbers("head") == 2 * D
assert trained_numbers("last-block") == 2 * D + sum(i * o + o for i, o in widths) + 3 * 2 * D  # and three norms
assert trained_numbers("lora") == 2 * D + config.n_layers * sum(r * (i + o) for i, o in widths)
assert trained_numbers("all") == 2 * D + config.parameter_count()

before = {name: weight.cpu() for name, weight in body.state_dict().items()}
weights = {kind: {name: w.cpu() for name, w in runs[kind].model.gpt.state_dict().items()} for kind in rates}
moved = {kind: [name for name in before if not torch.equal(weights[kind][name], before[name])] for kind in rates}
assert moved["head"] == []
assert moved["last-block"]
assert all(name.startswith((f"blocks.{config.n_layers - 1}.", "final_norm.")) for name in moved["last-block"])
assert len(moved["lora"]) == config.n_layers * len(widths)  # one matrix for each adapter
assert "token_embedding.weight" in moved["all"]

# W + (α / r) B A: the run holds the adapter, and a model with the adapter added in. Chapter 7 builds it.
tensors = load_file(runs["lora"].path / "adapter/adapter_model.safetensors")
A, B = (tensors[f"base_model.model.transformer.h.0.attn.c_attn.lora_{each}.weight"] for each in "AB")
name = "blocks.0.attention.qkv.weight"
by_hand = before[name] + adapter["lora_alpha"] / r * (B @ A)
assert torch.allclose(weights["lora"][name], by_hand, atol=1e-6)

assert all(run.receipt.steps == steps for run in runs.values())
assert not {row.text for row in rows_read} & set(texts)  # no test message was trained on
tp.Table(
    ["model", "trained numbers", "accuracy", "F1 of spam", "AUC"],
    [
        [name, trained_numbers(name) if name in runs else None, r["accuracy"], r["f1"], r["auc"]]
        for name, r in results.items()
    ],
)

# %%
tp.say(
    f"Pretraining moves the F1 of the same network, after the same steps, from {results['from scratch']['f1']:.3f} to "
    f"{results['all']['f1']:.3f}. The head alone reaches {results['head']['f1']:.3f}, LoRA {results['lora']['f1']:.3f}. "
    f"Counting words reaches {results['TF-IDF']['f1']:.3f}."
)

# %% [markdown]
# The base has read short stories for children, and the head alone can only ask what the base already knows. Links, pounds
# and PINs are not in stories, so the body has to move as well: and with LoRA and with the last block, the embeddings of
# these tokens stay as they are.
#
# Compare the last two columns. AUC asks whether spam has the higher scores; F1 asks whether the scores also pass one
# half. A model that has trained for few steps can rank well and still find hardly any spam: steps 7 and 9 return to this.
# Pretraining on stories need not help with both. And this is one seed: step 12 says how sure a difference is.
#
# ## Step 5: the same message, two answers
#
# Now read the wrong column of the trained classifier.
#
# **Guess first**: the same message, the same weights, only more padding. By how much can P(spam) change?

# %%
run = runs["all"]
model = run.model
some = [torch.tensor(run.tokenizer.encode(text), device=chapter.device) for text in texts[:100]]
some = [each[: body.config.context_length - 40] for each in some]


def spam_at(column, amount):
    """P(spam) of the messages with `amount` tokens of padding, read at the last "token" or the last "column"."""
    found = []
    with torch.no_grad():
        for each in some:
            row = torch.cat([each, each.new_zeros(amount)])[None]
            place = len(each) if column == "token" else row.shape[1]
            found.append(model(row, torch.tensor([place], device=row.device)).softmax(dim=1)[0, 1].item())
    return np.array(found)


amounts = [0, 1, 4, 16, 40]
at_token = np.stack([spam_at("token", amount) for amount in amounts])
at_column = np.stack([spam_at("column", amount) for amount in amounts])
assert np.allclose(at_token, at_token[0], atol=1e-4)
assert np.allclose(at_column[0], at_token[0], atol=1e-6)
uncut = [len(each) < body.config.context_length - 40 for each in some]
assert np.allclose(at_token[0][uncut], answers["all"][: len(some), 1][uncut], atol=1e-4)  # in batches: the same
moved = np.abs(at_column - at_column[0]).max()
assert moved > chapter.pick(test=1e-3, laptop=0.2)
tp.Table(
    ["padding", "most that P(spam) moves, last token", "most that P(spam) moves, column -1", "answers that flip"],
    [
        [a, float(np.abs(t - at_token[0]).max()), float(np.abs(c - at_column[0]).max()), int(((c > 0.5) != (at_token[0] > 0.5)).sum())]
        for a, t, c in zip(amounts, at_token, at_column, strict=True)
    ],
)  # fmt: skip

# %%
tp.say(
    f"At the last real token nothing moves. At column −1 the probability of one and the same message moves by up to "
    f"{moved:.2f}: whether a message is spam then depends on how long its neighbours in the batch are."
)

# %% [markdown]
# No shape is wrong, nothing crashes, and training even works a little. **A classifier has to know where its text ends.**
#
# The same vectors show how the model reads. Under the causal mask, the vector at a token is what the model would answer
# if the message ended there.

# %%
number = int(np.argmax(np.where(gold == 1, answers["all"][:, 1], 0)))  # the spam that it is most sure of
read = torch.tensor(run.tokenizer.encode(texts[number]), device=chapter.device)[: body.config.context_length]
with torch.no_grad():
    along = model.score(model.gpt.hidden(read[None]))[0].softmax(dim=1)[:, 1]
    ends = torch.arange(1, len(read) + 1, device=read.device)
    by_hand = torch.cat([model(read[None, :end], ends[end - 1 : end]) for end in ends]).softmax(dim=1)[:, 1]
assert torch.allclose(along, by_hand, atol=1e-4)
tp.figures.token_values([run.tokenizer.decode([token]) for token in read.tolist()], along.cpu().numpy())

# %% [markdown]
# ## Step 6: four counts, and everything that follows from them
#
# A decision has four outcomes. Precision asks: of what I called spam, how much is spam? Recall: of the spam, how much did
# I find? F1 is their harmonic mean, so neither can hide behind the other.
#
# **Guess first**: which is lower, precision or recall?

# %%
probabilities = answers["all"]
spam = probabilities[:, 1]


def four_counts(called):
    true_positive = sum(1 for c, g in zip(called, gold, strict=True) if c and g)
    false_positive = sum(1 for c, g in zip(called, gold, strict=True) if c and not g)
    false_negative = sum(1 for c, g in zip(called, gold, strict=True) if not c and g)
    return true_positive, false_positive, false_negative


for each in [*answers.values(), probabilities]:  # of every model; the last one is shown
    called = each[:, 1] > 0.5
    true_positive, false_positive, false_negative = four_counts(called)
    f1 = 2 * true_positive / max(1, 2 * true_positive + false_positive + false_negative)
    precision = true_positive / max(1, true_positive + false_positive)
    recall = true_positive / (true_positive + false_negative)
    library = measures(Predictions(gold, each, positive=1))
    assert np.isclose(f1, sk.f1_score(gold, called, zero_division=0))
    assert np.isclose(f1, library["f1"][0])
    assert np.isclose(precision, library["precision"][0, 1])
    assert np.isclose(recall, library["recall"][0, 1])
    assert np.isclose(np.mean(called == gold), library["accuracy"][0])

true_negative = len(gold) - true_positive - false_positive - false_negative
confusion = np.array([[true_negative, false_positive], [false_negative, true_positive]])
assert np.array_equal(confusion, sk.confusion_matrix(gold, called))
tp.figures.plot_confusion_matrix(confusion, ["ham", "spam"])

# %%
tp.say(
    f"Precision is {precision:.3f}, recall {recall:.3f}, and F1 {f1:.3f}: by hand, by scikit-learn and by the library."
)

# %% [markdown]
# ## Step 7: all thresholds at once
#
# One half is only one of many thresholds. The ROC curve goes through all of them: the share of spam found, against the
# share of ham that is lost. The area below it has a plain meaning: take one spam and one ham at random; how often does
# the spam have the higher score?
#
# **Guess first**: what is the area of a filter that scores by throwing dice? And of one that always says ham?

# %%
thresholds = [np.inf, *sorted(set(spam.tolist()), reverse=True)]
found = np.array([np.mean(spam[gold == 1] >= threshold) for threshold in thresholds])
lost = np.array([np.mean(spam[gold == 0] >= threshold) for threshold in thresholds])

wins = 0.0
for one in spam[gold == 1]:
    for other in spam[gold == 0]:
        wins += 1.0 if one > other else 0.5 if one == other else 0.0
area = wins / (gold.sum() * (1 - gold).sum())

assert np.isclose(area, np.trapezoid(found, lost))
assert np.isclose(area, sk.roc_auc_score(gold, spam))
assert np.isclose(area, library["auc"][0])
constant = np.full((len(gold), 2), 0.5)  # all pairs are ties
assert sk.roc_auc_score(gold, constant[:, 1]) == measures(Predictions(gold, constant, positive=1))["auc"][0] == 0.5
tp.figures.plot_roc_curve(lost, found, positive="spam", area=area)

# %% [markdown]
# Counting pairs gives the area below the curve. Dice and a constant both have one half: a tie counts half.
#
# ## Step 8: is 90 % sure right nine times out of ten?
#
# Put the messages into ten bins by the probability of the predicted class. A calibrated model is right, in each bin, as
# often as it says. The expected calibration error is the mean gap, weighted by the messages in a bin.
#
# **Guess first**: does training until the loss is small make a model too sure, or not sure enough?
#
# <!-- figures: 90 % -->

# %%
for each in [*answers.values(), probabilities]:  # of every model; the last one is shown
    confidence = each.max(axis=1)
    hits = (each.argmax(axis=1) == gold).astype(float)
    error, by_hand = 0.0, []
    for low in range(10):
        inside = (confidence > low / 10) & (confidence <= (low + 1) / 10)
        if inside.any():
            error += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
            by_hand.append([confidence[inside].mean(), hits[inside].mean(), inside.sum()])
    prediction = Predictions(gold, each, positive=1)
    assert np.isclose(error, measures(prediction)["ece"][0])
    assert np.allclose(by_hand, [list(bar.values()) for bar in reliability(prediction)])
brier = np.mean((spam - gold) ** 2)
assert np.isclose(brier, sk.brier_score_loss(gold, spam))
assert np.isclose(brier, library["brier"][0])

bins = reliability(prediction)
tp.figures.plot_calibration(*([each[name] for each in bins] for name in ("confidence", "accuracy", "rows")))

# %%
tp.say(
    f"The model is {confidence.mean():.1%} sure on average, and right in {hits.mean():.1%} of the cases: it is too "
    f"{'sure' if confidence.mean() > hits.mean() else 'modest'}. The calibration error is {error:.3f}."
)

# %% [markdown]
# ## Step 9: the threshold is a price
#
# A lost message from your bank costs more than a spam that you have to delete. Say ten times more. Calling a message spam
# is right if the expected cost of that, $10\,(1 - p)$, is below the cost $p$ of letting it through: if $p > 10/11$. That
# holds if the probabilities are calibrated. If not, choose the threshold on messages that you do not measure on.
#
# **Guess first**: which of the three thresholds is cheapest?

# %%
ham_lost, spam_read = 10, 1


def cost(threshold, part):
    """The cost per hundred messages of a part of the test set."""
    called = spam[part] > threshold
    wrong = ham_lost * (called & (gold[part] == 0)).sum() + spam_read * (~called & (gold[part] == 1)).sum()
    return 100 * wrong / len(spam[part])


half = len(gold) // 2
choosing, measuring = slice(0, half), slice(half, None)
probability = np.linspace(0, 1, 1101)
calling, letting = ham_lost * (1 - probability), spam_read * probability
best = ham_lost / (ham_lost + spam_read)
assert np.isclose(probability[calling < letting].min(), best, atol=0.001)
candidates = [0.5, best, *spam[choosing]]
chosen = min(candidates, key=lambda threshold: cost(threshold, choosing))
matrix = sk.confusion_matrix(gold[measuring], spam[measuring] > chosen, labels=[0, 1])
assert np.isclose(cost(chosen, measuring), 100 * (10 * matrix[0, 1] + matrix[1, 0]) / matrix.sum())
tp.Table(
    ["threshold", "value", "cost per hundred messages"],
    [
        ["one half", 0.5, float(cost(0.5, measuring))],
        ["ten elevenths, as if calibrated", best, float(cost(best, measuring))],
        ["chosen on the other half", float(chosen), float(cost(chosen, measuring))],
        ["never say spam", 1.0, float(cost(1.0, measuring))],
    ],
)

# %% [markdown]
# The model has not changed; only the decision has. **Train probabilities, and choose the threshold when you know what
# mistakes cost.**
#
# ## Step 10: read the mistakes
#
# A number says how many mistakes there are. It does not say what they have in common.
#
# **Guess first**: are the mistakes of the language model those of the word counter?

# %%
wrong = {name: answers[name].argmax(axis=1) != gold for name in ("TF-IDF", "all")}
surest = sorted(np.flatnonzero(wrong["all"]), key=lambda row: -confidence[row])[:8]
tp.Table(
    ["true", "P(spam)", "P(spam) by words", "message"],
    [[test[row].label, float(spam[row]), float(answers["TF-IDF"][row, 1]), texts[row]] for row in surest],
)

# %%
both = int((wrong["all"] & wrong["TF-IDF"]).sum())
tp.say(
    f"The language model makes {wrong['all'].sum()} mistakes, the word counter {wrong['TF-IDF'].sum()}, and {both} are the "
    "same messages. Read them aloud: some messages say opposite things in nearly the same words, and a filter that "
    "knows words but not their order has no chance with those."
)

# %% [markdown]
# ## Step 11: the fewer labels, the more a base is worth?
#
# Labels cost money. So the useful question is not who wins with all of them, but how many each method needs.
#
# **Guess first**: draw three curves over the number of labels: the base, the same network from scratch, counting words.

# %%
sizes = [*chapter.pick(test=[64], laptop=[64, 256], gpu=[64, 256, 1024]), len(messages)]


def with_interval(probabilities):
    """F1 of spam and the ends of its 95 % interval."""
    one = Predictions(gold, probabilities, positive=1)
    (drawn,) = bootstrap_measures([one])
    return [float(measures(one)["f1"][0]), *(interval(drawn["f1"]) or [np.nan, np.nan])]


curves = {"pretrained": [], "from scratch": [], "counting words": []}
few = []
for size in sizes[:-1]:
    rows = messages[:size]
    pair = [
        train(start, rows, f"{name}-{size}", steps=steps // 2) for name, start in (("base", base), ("none", untrained))
    ]
    few += pair
    curves["pretrained"].append(with_interval(class_probabilities(pair[0].loaded, texts)))
    curves["from scratch"].append(with_interval(class_probabilities(pair[1].loaded, texts)))
    curves["counting words"].append(with_interval(count_words(read_split(pair[0].path, "training"))))
for name, source in (("pretrained", "all"), ("from scratch", "from scratch"), ("counting words", "TF-IDF")):
    curves[name].append(with_interval(answers[source]))
tp.figures.label_efficiency(sizes, curves, unit="F1 of spam")

# %% [markdown]
# Read the left end with care. With few spam messages to learn from, the word counter keeps its probabilities low and says
# "ham" nearly always: F1 punishes that, and a lower threshold would repair much of it. Shades are intervals over the test
# messages. They do not hold the luck of a seed, and a curve may cross another within them. (Training and word counts
# read eight tenths of the labels; the rest is held out.)
#
# ## Step 12: the verdict
#
# Another test set would have given other numbers. The bootstrap draws messages with replacement, again and again, and
# measures both models on *the same* draws. The middle of the differences is the interval.
#
# **Guess first**: does it contain zero?

# %%
ours, theirs = (Predictions(gold, answers[name], positive=1) for name in ("all", "TF-IDF"))
weights = next(resamples(len(gold), 20))  # how often each message is drawn
for drawn, value in zip(weights, measures(ours, weights)["f1"], strict=True):  # by hand: repeat what was drawn twice
    again = np.repeat(np.arange(len(gold)), drawn.astype(int))
    assert np.isclose(sk.f1_score(gold[again], ours.predicted[again], zero_division=0), value)
for drawn, value in zip(weights, measures(theirs, weights)["accuracy"], strict=True):
    assert np.isclose(np.repeat(theirs.right, drawn.astype(int)).mean(), value)

mine, other, twin = bootstrap_measures([ours, theirs, ours])
assert all(np.array_equal(mine[name], twin[name]) for name in ("f1", "accuracy"))  # the same draws for all
low, high = interval(mine["f1"] - other["f1"])
assert np.allclose([low, high], np.quantile(mine["f1"] - other["f1"], [0.025, 0.975]))
assert np.allclose(interval(mine["accuracy"]), np.quantile(mine["accuracy"], [0.025, 0.975]))
difference = results["all"]["f1"] - results["TF-IDF"]["f1"]
assert low <= difference <= high
if low > 0:
    verdict = "The language model is better here."
elif high < 0:
    verdict = "Counting words is better here. Use it: it is also faster and smaller."
else:
    verdict = "These messages do not show which one is better. Then the simpler one wins: count words."
tp.say(
    f"F1 {results['all']['f1']:.3f} against {results['TF-IDF']['f1']:.3f}: a difference of {difference:+.3f}, with a "
    f"95 % interval from {low:+.3f} to {high:+.3f}. **{verdict}**"
)

# %% [markdown]
# This is the honest answer for a base of a million numbers that has read only stories. A larger base has read more about
# banks and parcels. But the order of the work stays: majority, word counts, and only then a network, on the same rows,
# with an interval.
#
# ## On AWS: finetuning as a job
#
# The command line is the one of this machine, with a machine before it: `tuppence aws launch --budget 2 finetune classify
# --base BASE --data messages.jsonl --out runs/spam`. Base and messages are uploaded once, by content, without the
# checkpoints of the base. The result lies in the bucket.
#
# What follows runs against a SageMaker and an S3 of this machine. They are our reading of AWS's documentation: they try
# our client and our job, and prove nothing about AWS. After `tuppence aws init` and with `TUPPENCE_AWS=account` the same
# cells run on AWS, and cost money.
#
# **Guess first**: the job has the base, the messages and the seed of a run on this machine. Does it give the same answers?

# %%
cloud = tp.cloud()
rows_file = chapter.folder / "messages.jsonl"
few_rows = tp.sms(chapter.pick(test=60, laptop=200))
rows_file.write_text(
    "".join(json.dumps({"text": row.text, "label": row.label}) + "\n" for row in few_rows), encoding="utf-8"
)
steps = chapter.pick(test=4, laptop=20)
here = tp.classify(base, rows_file, chapter.folder / "here", steps=steps, eval_every=0)
job = tp.launch(
    *("finetune", "classify", "--base", base.path, "--data", rows_file, "--out", "runs/spam"),
    *("--config", "quickstart-spam", "--max-steps", steps, "--set", "train.eval_every=0"),
    instance="ml.g4dn.xlarge",
    budget=2,
)
job

# %%
in_s3 = job.run  # copied from S3, each file compared with its SHA-256
sample = texts[:20]
ours, theirs_p = (class_probabilities(run.loaded, sample) for run in (here, in_s3))
if cloud.is_rehearsal:
    assert np.array_equal(ours, theirs_p)  # another processor may round in another way
bill = job.receipt.billed_seconds / 3600 * job.receipt.price.usd
assert np.isclose(bill, job.receipt.billed_usd)
assert job.receipt.billed_usd <= job.receipt.run_usd <= 2
tp.say(
    f"The largest difference between the probabilities of the two is {np.abs(ours - theirs_p).max():.0e}. On demand, each"
    f" second is billed: {job.receipt.billed_seconds:,.0f} s at \\${job.receipt.price.usd} an hour are \\${bill:.4f}"
    + (f", on a clock that runs {job.speed:.0f} times as fast as yours." if cloud.is_rehearsal else ".")
)

# %% [markdown]
# A machine that finetunes there has a *role*, and the role should allow what the job does and nothing else: read two
# prefixes, write one. A role that can do everything also lets a mistake do everything.

# %%
cloud.close()
bucket = "arn:aws:s3:::YOUR-BUCKET"
tp.Table(
    ["effect", "action", "resource", "for"],
    [
        ["Allow", "s3:GetObject", f"{bucket}/inputs/*", "the labelled rows and the base model"],
        ["Allow", "s3:GetObject", f"{bucket}/code/*", "the code"],
        ["Allow", "s3:GetObject, s3:PutObject", f"{bucket}/runs/spam/*", "the run, also to continue it"],
    ],
)

# %% [markdown]
# ## Exercises
#
# Write the function, and run the cell. The check names the property that fails, and the smallest input that shows it.
#
# <!-- figures: 10 minutes -->
#
# **6.1 The last real token** · difficulty ●○○ · importance ●●● · 10 minutes. Padding must change nothing.


# %%
def last_token(h, lengths):
    """h (B, T, D), padded at the end; lengths (B,). Returns the last real states, (B, D)."""


tp.check(last_token)

# %% [markdown]
# <!-- figures: 15 minutes -->
#
# **6.2 Macro F1** · difficulty ●●○ · importance ●●○ · 15 minutes. The mean of the F1 of all classes that appear in `pred`
# or `true`.


# %%
def f1(pred, true):
    """pred and true: lists of class numbers. Returns macro F1."""


tp.check(f1)

# %% [markdown]
# <!-- figures: 15 minutes -->
#
# **6.3 The area under the ROC curve** · difficulty ●●○ · importance ●●○ · 15 minutes. A tie counts half.


# %%
def auc(score, true):
    """score: a list of numbers; true: a list of 0 and 1. Returns the area."""


tp.check(auc)

# %% [markdown]
# More to try, without a check:
#
# - Train with `finetune__balance=True`. What happens to recall, to precision, and to the calibration?
# - Divide the scores by a temperature before the softmax, chosen on half of the messages. What happens to the area?
# - Give the word counter pairs and triples of characters instead of words.
# - Train LoRA with a learning rate ten times as large. What is its F1, what is its accuracy, and what does it answer?
#
# ## What you can say now
#
# - Accuracy praises a filter that does nothing if one class is rare.
# - A baseline that trains in a moment comes first, and it is hard to beat.
# - A classifier reads the last real token. At column −1, the answer depends on the padding.
# - Precision, recall, F1, ROC and its area follow from counting.
# - A probability is calibrated if it is right as often as it says.
# - The threshold follows from what mistakes cost.
# - A difference without an interval is no verdict.

# %%
chapter.receipt(*runs.values(), *few)

# %% [markdown]
# **Papers**
#
# - Almeida, Gómez Hidalgo and Yamakami 2011, "Contributions to the Study of SMS Spam Filtering": the collection
# - Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification", arXiv:1801.06146
# - Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599
# - Efron and Tibshirani 1993, "An Introduction to the Bootstrap"
#
# **Next**: chapter 7 asks how few numbers have to change until a base model follows instructions.
