# %% [markdown]
# # 1 · What is it that we can build for $100, and what can't we?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/01_LLM_Fundamentals.ipynb)
#
# **You will learn**
#
# - what a language model is: a table of probabilities, first counted, then computed by a GPT;
# - how to count the parameters, the operations and the dollars of a model with a pencil;
# - how GPT, BERT and T5 differ: in one mask;
# - what happens in pretraining, finetuning and alignment, and what this course builds in each chapter.
#
# **AWS services**: none is started. The chapter reads the prices of SageMaker, EC2 and S3, which the later chapters use.
#
# **You need** Python and a little NumPy. Machine learning, PyTorch and AWS help, and are explained where they appear.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(1)
chapter

# %% [markdown]
# ## 1.1 Where am I?
#
# *Guess first: has this machine a GPU, and which number format will it multiply fastest?*
#
# The same code runs on a laptop, on Colab, in SageMaker Studio and in a training job. What differs is found out, not
# configured.

# %%
machine = tp.doctor()
machine

# %%
device = machine.column("value")[machine.column("check").index("device")]
assert machine.status != "fail", "a line says what to do"
tp.say(f"This chapter runs on **{device}**. Everything in the course works on a CPU; a GPU makes it faster.")

# %% [markdown]
# ## 1.2 A language model is a table
#
# A language model answers one question: *given the text so far, how likely is each possible next token?* The simplest
# model looks at one token only, and counts what followed it. Its whole knowledge is a table with a row for each token.
#
# *Guess first: the model below has read two short stories. What will it write?*

# %%
from itertools import pairwise

import torch

stories = tp.stories(chapter.pick(test=60, laptop=400))
tokenizer = tp.train_tokenizer(stories, vocab_size=512)
tokens = tp.tokens(stories[:2], tokenizer)

counts = torch.zeros(tokenizer.vocab_size, tokenizer.vocab_size)
for before, after in pairwise(tokens):
    counts[before, after] += 1
table = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)

tp.show_tokens(tokenizer, stories[0][:160])

# %% [markdown]
# Each piece between two bars is a token; chapter 2 shows how they are found. A row of the table is a probability
# distribution. To write, draw a token from the row of the last token, and repeat.

# %%
draws = torch.Generator().manual_seed(1)
text = [int(tokens[0])]
for _ in range(40):
    text.append(int(torch.multinomial(table[text[-1]], 1, generator=draws)))

used = table[counts.sum(dim=1) > 0]
assert torch.allclose(used.sum(dim=1), torch.ones(len(used)))
print(tokenizer.decode(text))

# %% [markdown]
# How good is a model? It is as good as the probability that it gave to what really came next. The **loss** is the mean of
# $-\log p$, in *nats* per token. A model that knows nothing spreads its probability evenly over $V$ tokens, and has a loss
# of $\ln V$.

# %%
by_hand = -torch.stack([table[a, b].log() for a, b in pairwise(tokens)]).mean()
logarithms = table.log()[tokens[:-1]].clamp(min=-1e9)  # a row for each token; the logarithm of zero is minus infinity
library = tp.cross_entropy(logarithms, tokens[1:]) / (len(tokens) - 1)  # the library returns the sum
assert torch.allclose(by_hand, library)

knows_nothing = torch.tensor(float(tokenizer.vocab_size)).log()
tp.say(
    f"On the two stories that it has read, the table has a loss of **{by_hand:.2f} nats**;"
    f" a model that knows nothing has {knows_nothing:.2f}."
)

# %% [markdown]
# ## 1.3 The same question, asked to a GPT
#
# The table forgets everything but the last token. A row for every *pair* of tokens would already need $V^2$ rows, and a row
# for every text of a hundred tokens would not fit into the universe. A GPT **computes** the row instead: from all tokens so
# far, with numbers that training has found. The question stays the same.
#
# *Guess first: which one predicts a story better that neither has read, the counted table or a small GPT?*

# %%
config = tp.ModelConfig(n_layers=2, n_heads=4, d_model=64, context_length=64, vocab_size=tokenizer.vocab_size)
gpt = tp.GPT(config)
split = int(0.9 * len(stories))
seen, unseen = tp.tokens(stories[:split], tokenizer), tp.tokens(stories[split:], tokenizer)

steps = chapter.pick(test=20, laptop=300)
schedule = {"schedule": "wsd", "warmup_steps": 20, "min_lr_factor": 0.0}  # chapter 5 explains it
run = tp.fit(gpt, seen, steps, lr=2e-2, optimizer="muon", batch_size=16, val=unseen, **schedule)
tp.say(f"This GPT has {config.parameter_count():,} parameters, and has been trained for {run.receipt.steps} steps.")

# %% [markdown]
# It gives a score for each token of the vocabulary, and the *softmax* makes probabilities of them: $e^{\text{score}}$, divided
# by the sum of all. That is the row of the table.

# %%
text = "One morning the fox"
with torch.no_grad():
    scores = gpt(torch.tensor([tokenizer.encode(text)]))[0, -1]  # one for each token of the vocabulary
row = scores.exp() / scores.exp().sum()

guesses = tp.next_tokens(gpt, tokenizer, text, k=5)
assert guesses.column("id") == row.topk(5).indices.tolist()
assert torch.allclose(torch.tensor(guesses.column("probability")), row.topk(5).values)
guesses

# %% [markdown]
# A text begins after the token `<|endoftext|>`, so its first token is predicted as well. Before the library measures the
# loss on many stories, it has to agree with us on one sentence.

# %%
sentence = [*tokenizer.start_ids, *tokenizer.encode("The fox saw a light.")]
with torch.no_grad():
    probabilities = gpt(torch.tensor([sentence[:-1]]))[0].softmax(dim=1)
by_hand = -torch.stack([probabilities[place, token].log() for place, token in enumerate(sentence[1:])]).mean()
assert abs(tp.perplexity(gpt, tokenizer, "The fox saw a light.").loss - by_hand.item()) < 1e-4

counts = torch.ones(tokenizer.vocab_size, tokenizer.vocab_size) * 0.01  # so that no probability is zero
counts.index_put_((seen[:-1], seen[1:]), torch.ones(len(seen) - 1), accumulate=True)
bigrams = (counts / counts.sum(dim=1, keepdim=True)).log()
of_table = float(tp.cross_entropy(bigrams[unseen[:-1]], unseen[1:])) / (len(unseen) - 1)
of_gpt = tp.perplexity(gpt, tokenizer, stories[split:]).loss

assert chapter.scale == "test" or of_gpt < of_table - 0.3
tp.say(
    f"On unseen stories the table, counted on all {split} others, has a loss of **{of_table:.2f} nats**, the GPT after"
    f" {run.receipt.steps} steps **{of_gpt:.2f}**. A row of the table looks at one token, the GPT at up to"
    f" {config.context_length}."
)

# %%
print(tp.write(gpt, tokenizer, "One morning", max_tokens=60, seed=1))

# %% [markdown]
# ## 1.4 How large is large?
#
# The knowledge of a GPT is in its **parameters**, the numbers that training finds. GPT-2 small has 12 layers, a width of 768,
# a vocabulary of 50,257 tokens, and sees 1,024 tokens at once. These four numbers are all that we need.
#
# *Guess first: where are most of its parameters: in the embeddings, in attention, or in the MLPs?*
# <!-- figures: 50,257 tokens, 1,024 tokens -->

# %%
L, D, V, T = 12, 768, 50_257, 1_024

embeddings = V * D + T * D  # a vector for each token, and for each position
norm = 2 * D  # a scale and a shift
attention = (D * 3 * D + 3 * D) + (D * D + D)  # queries, keys and values; the projection back
mlp = (D * 4 * D + 4 * D) + (4 * D * D + D)  # four times as wide, and back
by_hand = embeddings + L * (norm + attention + norm + mlp) + norm

assert by_hand == tp.PRESETS["gpt2-124m"].parameter_count() == 124_439_808
assert round((by_hand + V * D) / 1e6) == 163  # with an output layer of its own
tp.Table(
    ["part", "parameters", "share"],
    [
        [name, count, f"{count / by_hand:.0%}"]
        for name, count in {"embeddings": embeddings, "attention": L * attention, "MLPs": L * mlp}.items()
    ],
)

# %% [markdown]
# The output layer is missing from the sum: GPT-2 uses the token embedding again. The "163M" that is sometimes quoted counts
# it twice.
#
# Sizes of models differ by so much that only a logarithmic axis shows them. OpenAI has published the numbers of GPT-2 and of
# GPT-3; for GPT-4 it never has, and the figure that is passed around is a rumour.

# %%
sizes = {
    "GPT-4": 8 * 220e9,
    "GPT-3": 175e9,
    **{
        f"GPT-2 {name[5:].upper()}": config.parameter_count()
        for name, config in tp.PRESETS.items()
        if name.startswith("gpt2")
    },
    "this course's": tp.PRESETS["nano"].parameter_count(),
    "this chapter's": gpt.config.parameter_count(),
}
rumours = {"GPT-4": "rumour, June 2023"}
tp.figures.scale(sizes, rumours=rumours, ours=["this course's", "this chapter's"])

# %% [markdown]
# Sources: Radford et al. 2019 (GPT-2, table 2), Brown et al. 2020 (GPT-3, arXiv:2005.14165); the rumour about GPT-4, eight
# times 220 billion, is of G. Hotz (the-decoder.com, June 2023).
#
# ## 1.5 What is inside
#
# The library's GPT is short enough to read. This is all of its forward pass; chapters 3 and 4 build each part.

# %%
tp.source(tp.GPT.hidden)

# %% [markdown]
# *Guess first: which shape do the numbers have between two blocks, and where does the vocabulary appear?*
#
# The picture is drawn from a real forward pass of the model above: a hook writes down what leaves each part. It is read from
# the bottom, where the tokens enter, to the top.

# %%
batch = unseen[: 2 * 64].view(2, 64)
shapes = {"tokens": tuple(batch.shape)}


def write_down(name):
    return lambda module, given, out: shapes.update({name: tuple(out.shape)})


hooks = [part.register_forward_hook(write_down(name)) for name, part in gpt.named_modules() if name]
with torch.no_grad():
    shapes["logits"] = tuple(gpt(batch).shape)
for hook in hooks:
    hook.remove()

assert shapes["blocks.0"] == shapes["blocks.1"] == (2, 64, gpt.config.d_model)
tp.figures.architecture(shapes)

# %% [markdown]
# ## 1.6 GPT, BERT and T5 are three masks
#
# In attention every token asks all tokens that it may look at. **Which** ones it may look at is the difference between the
# three kinds of transformer:
#
# - *decoder only* (GPT): itself and earlier tokens. It can write, because the next token is always unknown.
# - *encoder only* (BERT): all tokens. It reads better than it writes: it fills gaps, and sorts texts into classes.
# - *encoder and decoder* (T5): a writer that also looks at all tokens of a text that was read before, as in translation.
#
# *Guess first: how much of the square may a decoder look at?*

# %%
n = 6
decoder = torch.tensor([[key <= query for key in range(n)] for query in range(n)])
encoder = torch.ones(n, n, dtype=torch.bool)
both = torch.cat([encoder, decoder], dim=1)  # first the text that was read, then what is written

assert torch.equal(decoder, tp.causal_mask(n, n))
tp.figures.masks({"decoder (GPT)": decoder, "encoder (BERT)": encoder, "both (T5)": both})

# %% [markdown]
# A mask is not a detail. If a model could look ahead, it would learn to copy the next token instead of predicting it, and
# could not write. Does our GPT look ahead? Change the last token and see whether anything before it changes.

# %%
changed = batch.clone()
changed[:, -1] = (changed[:, -1] + 1) % tokenizer.vocab_size
cheat = tp.ablated(gpt.config, "mask")
with torch.no_grad():
    assert torch.equal(gpt(batch)[:, :-1], gpt(changed)[:, :-1])  # the past does not see the future
    assert not torch.equal(cheat(batch)[:, :-1], cheat(changed)[:, :-1])  # without the mask it does
tp.say("Our GPT never sees the token that it has to predict. Chapter 4 shows what the model without a mask learns.")

# %% [markdown]
# ## 1.7 One model, three stages
#
# A model is first *pretrained* on plain text, then *finetuned* on examples of what it is for, then *aligned* with what people
# prefer. The weights stay, and the next-token machinery stays. Only the data and the loss change. Pretraining is called
# *self-supervised*: nobody labels anything, because the label of each token is the next one.

# %%
story, task, pair = stories[0], tp.instructions(3)[2], tp.preferences(1)[0]
took = {number: str(found).partition(" (")[0] for number, found in tp.course.measured().items()}
tp.figures.stages(
    [
        ("Pretraining, chapter 5", f"{story[:110]} …", "each token with the next one", took.get(5, "")),
        (
            "Finetuning, chapters 6 and 7",
            f"{task.instruction} {task.input} → {task.output}"[:160],
            "only the tokens of the answer",
            took.get(7, ""),
        ),
        (
            "Alignment, chapter 8",
            f"{pair.prompt[:60]} … better: {pair.chosen[:50]} … worse: {pair.rejected[:50]} …",
            "which of two answers is more likely",
            took.get(8, ""),
        ),
    ]
)

# %% [markdown]
# What others pay (orders of magnitude, from papers and announcements): weeks to months and more than a hundred thousand
# dollars for pretraining a large model, hours to days for finetuning it, days to weeks for alignment with paid annotators.
# The figure shows what our versions of the same stages took here.
#
# ## 1.8 From operations to dollars
#
# Training on one token multiplies and adds every parameter once forward and twice backward, which is six operations a
# parameter; attention adds $12\,L\,d\,T$ (PaLM, arXiv:2204.02311, appendix B).

# %%
N = by_hand
flops = 6 * N + 12 * L * D * T
assert flops == tp.PRESETS["gpt2-124m"].flops_per_token()
tp.say(f"One token costs GPT-2 small **{flops / 1e9:.2f} GFLOP** of training.")

# %% [markdown]
# A GPU has a *peak*, the operations a second of its data sheet, and a real run reaches a part of it, the *model FLOPs
# utilisation* (MFU). Then tokens a second are a division, and dollars are hours times a price.
#
# *Guess first: an "epoch of 2 hours" on a T4, the cheapest GPU of SageMaker: how many tokens is that? GPT-2 small wants 20
# tokens for each of its parameters (Hoffmann et al. 2022, arXiv:2203.15556). How many of those epochs are that?*
# <!-- figures: 2 hours, 20 tokens -->

# %%
from tuppence.cost.hardware import instances, known_peak
from tuppence.cost.rates import price_of

peak, mfu = known_peak("Tesla T4", "fp16"), 0.30  # the share is assumed
tokens_per_second = peak.flops_per_second * mfu / flops
price = price_of("ml.g4dn.xlarge")
assert price.usd > price_of("g4dn.xlarge").usd  # the bare machine of EC2 costs less

hours_wanted = 20 * N / tokens_per_second / 3600
dollars = hours_wanted * price.usd
assert 0.1e9 < 2 * 3600 * tokens_per_second < 0.2e9
assert dollars < 100
tp.say(
    f"Two hours are **{2 * 3600 * tokens_per_second / 1e9:.2f} billion tokens**. The {20 * N / 1e9:.1f} billion that it wants"
    f" take {hours_wanted:.0f} hours, or {hours_wanted / 2:.0f} such epochs, and **${dollars:.2f}** on demand"
    f" ({price.describe()}; peak: {peak.source}; an MFU of {mfu:.0%} is assumed). The money is enough. Data and patience"
    " are the limit."
)

# %% [markdown]
# ## 1.9 The calculator
#
# The usual calculator takes epochs and hours. These are the two examples that many courses show: GPT-2 small for ten epochs
# of two hours on a `g4dn.xlarge`, and GPT-2 medium for five epochs of four hours on a `g5.xlarge`, both on *spot*: machines
# that AWS rents out for less, and may take back. The first half of each table counts as those courses do: the price of
# EC2, less a fixed 65 %. The second half has SageMaker's price, and the minutes in which a job starts and ends.
#
# *Guess first: by how much do the two halves differ?*
# <!-- figures: 65 % -->

# %%
small = tp.estimate_aws_cost(124, epochs=10, hours_per_epoch=2, instance_type="g4dn.xlarge", use_spot=True)
hours, ec2, sagemaker = 10 * 2, price_of("g4dn.xlarge").usd, price_of("ml.g4dn.xlarge").usd
assert abs(hours * ec2 * (1 - 0.65) + small.storage - small.total) < 0.005
assert abs((hours + 5 / 60) * sagemaker - small.sagemaker_on_demand) < 0.005
assert abs(small.sagemaker_on_demand / 2 - small.sagemaker_spot) < 0.005
assert abs(hours * 3600 * small.speed.flops_per_second / flops / small.tokens - 1) < 0.02
assert small.tokens_wanted == 20 * 124e6
small

# %%
medium = tp.estimate_aws_cost(355, epochs=5, hours_per_epoch=4, instance_type="g5.xlarge", use_spot=True)
medium

# %%
tp.say(
    f"The calculator says ${small.total:.2f} and ${medium.total:.2f}. With SageMaker's own prices it is"
    f" ${small.sagemaker_on_demand:.2f} and ${medium.sagemaker_on_demand:.2f} on demand, and perhaps"
    f" ${small.sagemaker_spot:.2f} and ${medium.sagemaker_spot:.2f} on spot. And it never asked how many tokens the hours"
    f" buy: {small.tokens / 1e9:.1f} billion for the small model, which wants {small.tokens_wanted / 1e9:.1f}."
)

# %% [markdown]
# ## 1.10 What $100 buys
#
# The better question starts from the money. `tp.plan` compares instances: what fits into memory, how fast it is (measured,
# published or assumed, and it says which), what start-up, evaluation, saves and storage add, and which loss a published law
# expects.
#
# *Guess first: is the cheapest GPU by the hour also the best one for $100?*

# %%
plan = tp.plan(budget=100)
best = plan.best
assert best is not None
assert 90 < best.dollars <= 100
assert best.loss <= min(row.loss for row in plan.rows if row.loss is not None) + 0.02
storage = sum(line.dollars for line in best.lines if line.name == "storage")
assert abs(best.hours * price_of(best.machine.name).usd + storage - best.dollars) < 0.01
plan

# %%
budgets = [3, 10, 30, 100, 300, 1000]
bests = [(budget, tp.plan(budget=budget).best) for budget in budgets]
known = [(budget, best) for budget, best in bests if best is not None and best.loss is not None]
assert all(one.loss > other.loss for (_, one), (_, other) in pairwise(known))
tp.figures.dollars_against_loss(
    [budget for budget, _ in known], [best.loss for _, best in known], names=[best.size.name for _, best in known]
)

# %%
by_price = sorted(plan.rows, key=lambda row: row.machine.usd_per_hour)
cheapest = next(row for row in by_price if row.loss is not None)
tp.say(
    f"{plan.recommendation} The cheapest by the hour, {cheapest.machine.name}, needs {cheapest.hours:.0f} hours for"
    f" ${cheapest.dollars:.2f} and comes to {cheapest.loss:.2f}. Machines whose expected losses differ by less than the"
    " luck of a seed count as equal, and the plan takes the one whose speed is better known. And ten times the money"
    " lowers the loss less each time: that is what a power law means."
)

# %% [markdown]
# And what can't we? GPT-3 has $175 \cdot 10^9$ parameters and has read $300 \cdot 10^9$ tokens (Brown et al. 2020). The same
# pencil gives its price; its attention adds little, and is left out.

# %%
gpt3 = 6 * 175e9 * 300e9  # operations
hour = price_of("ml.p5.4xlarge")
gpt3_hours = gpt3 / (known_peak("H100", "bf16").flops_per_second * mfu) / 3600
gpt3_dollars = gpt3_hours * hour.usd
assert gpt3_dollars > 1e6
tp.say(
    f"GPT-3 takes {gpt3:.3g} operations: {gpt3_hours / 24 / 365:.0f} years of one H100 at {mfu:.0%} of its peak, or"
    f" **${gpt3_dollars / 1e6:.1f} million**. That is {gpt3_dollars / 100:,.0f} times our $100."
)

# %% [markdown]
# ## 1.11 AWS in one page
#
# **Instances.** SageMaker charges more for the same machine than EC2, starts and stops it for you, and bills by the second.

# %%
names = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "g6e.xlarge", "p5.4xlarge"]
rows = []
for name in names:
    gpu, ec2, sagemaker = instances()[name].accelerator, price_of(name), price_of(f"ml.{name}")
    rows.append([name, gpu.name, gpu.memory_gib, ec2.usd, sagemaker.usd, str(sagemaker.date)])
assert all(ec2 < sagemaker for *_, ec2, sagemaker, _ in rows)
tp.Table(["instance", "GPU", "memory, GiB", "EC2, $/h", "SageMaker, $/h", "price of"], rows)

# %% [markdown]
# Region us-east-1; `tuppence plan --refresh` gets today's prices. The `p3` of older courses is gone: EC2 no longer lists it
# (seen in May 2026).
#
# | Habit | What it saves | Where the course does it |
# |---|---|---|
# | Managed spot training | a third to two thirds were seen; AWS says "up to 90 %" | chapter 5: a run survives being killed |
# | Checkpoints to S3 with a lifecycle rule | old ones cost a little *every month until deleted* | chapter 5: a run keeps its newest ones |
# | Mixed precision | memory and much of the time on a GPU: fp16 with a scaled loss on a T4, bf16 from Ampere on | chapter 5 |
# | Gradient accumulation | a smaller GPU for the same step | chapter 5: 1 × 8 = 8 × 1 |
# | Early stopping | the hours after the best validation | chapter 5 |
# | A budget | everything beyond it: `--budget` ends a run before it is passed, with a checkpoint | every command that trains |
# | Small notebooks | an idle GPU notebook costs as much as a busy one | all chapters: none needs a GPU |
# <!-- figures: 90 % -->
#
# **What is free** (read in September 2026; check before you rely on it). Accounts opened since 2025-07-15 get credits, up to
# \$200 in the first six months. Older ones had 250 hours of `ml.t3.medium` notebooks a month for two months. The student credits
# of earlier years are no longer given.
# <!-- figures: 250 hours, $200 -->
#
# **Alternatives.** This course runs on a laptop. Colab gives a T4 with 16 GB for nothing, when one is free, and sells compute
# units (\$9.99 for 100) for L4, A100 and H100 (seen in March 2026).
# <!-- figures: 16 GB, $9.99 -->
#
# ## 1.12 Are you ready?
#
# *Write your answers before you run the cell.* The check below compares them with torch, and it can fail: the second table
# has the two most common mistakes.


# %%
def grade(answers):
    x = torch.tensor(2.0, requires_grad=True)
    (x**2 + 3 * x + 1).backward()
    right = {
        "shape of (3, 4) @ (4, 5)": tuple((torch.ones(3, 4) @ torch.ones(4, 5)).shape),
        "shape of (3, 1) + (1, 4)": tuple((torch.ones(3, 1) + torch.ones(1, 4)).shape),
        "slope of x² + 3x + 1 at 2": x.grad.item(),
        "there is a GPU": torch.cuda.is_available(),
    }
    return tp.Table(
        ["question", "yours", "torch", "right"],
        [[q, str(answers[q]), str(right[q]), answers[q] == right[q]] for q in right],
    )


mine = grade(
    {
        "shape of (3, 4) @ (4, 5)": (3, 5),
        "shape of (3, 1) + (1, 4)": (3, 4),
        "slope of x² + 3x + 1 at 2": 7,
        "there is a GPU": torch.cuda.is_available(),
    }
)
assert all(mine.column("right"))
mine

# %%
wrong = grade(
    {
        "shape of (3, 4) @ (4, 5)": (4, 4),
        "shape of (3, 1) + (1, 4)": (3, 4),
        "slope of x² + 3x + 1 at 2": 11,  # the value, not the slope
        "there is a GPU": torch.cuda.is_available(),
    }
)
assert wrong.column("right") == [False, True, False, True]
wrong

# %% [markdown]
# ## 1.13 The road

# %%
names = dict(enumerate(["Fundamentals", "Text", "Attention", "The GPT", "Pretraining"], start=1))
names |= {6: "Classification", 7: "Instructions", 8: "Alignment"}
ideas = {
    1: "a table of probabilities; parameters, operations, dollars",
    2: "bytes, merges, tokens, windows",
    3: "queries, keys and values; the mask; heads",
    4: "norms, residuals, the whole model; sampling",
    5: "the loop, the optimizer, scaling laws, a budget",
    6: "a new head on an old body; honest baselines",
    7: "templates, masks on the loss, LoRA",
    8: "preferences, rewards, what goes wrong, DPO and PPO",
}
folder = pathlib.Path("notebooks" if pathlib.Path("notebooks").is_dir() else ".")
lines = {int(file.name[:2]): len(file.read_text().splitlines()) for file in folder.glob("0[1-8]_*.py")}
took = tp.course.measured()
known = sorted(number for number in took if number in lines)
roadmap = known and tp.figures.roadmap(
    [names[number] for number in known],
    [took[number].seconds / 60 for number in known],
    [lines[number] for number in known],
    ideas=[ideas[number] for number in known],
)
roadmap or tp.Table(["chapter", "what is new"], [[names[number], idea] for number, idea in ideas.items()])

# %% [markdown]
# ## What we can now say
#
# - A language model gives each possible next token a probability. Its loss is $-\log p$ of what came.
# - Parameters, operations and dollars of a GPT follow from four numbers, with a pencil.
# - The kinds of transformer differ in a mask, the stages of training in data and loss.
# - For $100 we can pretrain a model of GPT-2's size; we cannot pretrain one of GPT-3's. What we can do with every size is
#   understand it, because the code is the same.

# %%
chapter.receipt(run)

# %% [markdown]
# ## Exercises
#
# Write each function in a cell of its own, below, and give it to `tp.check`: it tries properties on your function, shows the
# smallest input where one fails, and a hint. It never shows the answer. The last exercise asks the questions of 1.12 again,
# for numbers that you do not know beforehand.

# %%
tp.check(1)

# %% [markdown]
# ## Papers and pages
#
# - Vaswani et al. 2017, *Attention Is All You Need*, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)
# - Radford et al. 2019, *Language Models are Unsupervised Multitask Learners* (GPT-2)
# - Brown et al. 2020, *Language Models are Few-Shot Learners* (GPT-3), [arXiv:2005.14165](https://arxiv.org/abs/2005.14165)
# - Devlin et al. 2018, *BERT*, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805); Raffel et al. 2019, *T5*,
#   [arXiv:1910.10683](https://arxiv.org/abs/1910.10683)
# - Hoffmann et al. 2022, *Training Compute-Optimal Large Language Models*, [arXiv:2203.15556](https://arxiv.org/abs/2203.15556)
# - AWS: [SageMaker pricing](https://aws.amazon.com/sagemaker/pricing/), [managed spot
#   training](https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html)
# - To look at: [The Illustrated Transformer](https://jalammar.github.io/illustrated-transformer/), [the Hugging Face
#   course](https://huggingface.co/learn)
#
# **Next**: chapter 2 asks why the model sees tokens and not letters, and who pays for that.
