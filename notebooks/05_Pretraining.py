# %% [markdown]
# # 5 · What does one more dollar buy?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/05_Pretraining.ipynb)
#
# Pretraining is one operation, repeated: predict the next token, measure the error, move every number of the model a
# little. It is also the stage that costs money. This chapter computes each part of a step by hand, kills a run and
# continues it without losing a bit, and ends with a law that says what a run will reach before it starts.
#
# **You will learn**
#
# - the loss, AdamW and the training loop, each in a few lines, equal to what the library computes
# - what learning-rate schedules, accumulation, 16-bit numbers and early stopping are for
# - how a killed run resumes to the same weights, and how a run keeps to a budget
# - how to choose between a larger model and more data, and to predict a loss
#
# **You need**: chapters 2 and 4. **AWS services**: S3 and SageMaker training on spot instances, both rehearsed on this machine.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(5)
chapter

# %%
import copy
import hashlib
import json
import math
import shutil
import signal
import time

import numpy as np
import torch

from tuppence.cost.law import Point, fit_law
from tuppence.cost.rates import rate_of
from tuppence.data.prepare import prepare
from tuppence.model.loss import summed_cross_entropy
from tuppence.training.config import TrainConfig
from tuppence.training.schedule import learning_rate_factor

V, T = chapter.pick(test=512, laptop=1024), 64
texts = tp.stories(chapter.pick(test=300, laptop=6000), plots=None)
tokenizer = tp.train_tokenizer(texts[:1000], vocab_size=V)
corpus = tp.tokens(texts, tokenizer)
held_out = tp.tokens(tp.stories(chapter.pick(test=6, laptop=60), seed=5, plots=None), tokenizer)


def small_gpt(width: int, layers: int = 2, seed: int = 1) -> tp.GPT:
    """A GPT with fresh weights; the same seed gives the same weights."""
    torch.manual_seed(seed)
    heads = 4 if width % 64 == 0 or width == 96 else 2
    return tp.GPT(tp.ModelConfig(n_layers=layers, n_heads=heads, d_model=width, context_length=T, vocab_size=V))


tp.say(f"{len(texts):,} stories are {len(corpus):,} tokens of {V:,} kinds; {len(held_out):,} tokens are held out.")

# %% [markdown]
# ## Step 1: the loss
#
# The model gives a score, a *logit*, to each token of the vocabulary. The softmax makes probabilities of them, and the
# loss of one prediction is $-\log p$ of the token that came: zero if the model was certain and right, large if it was
# certain and wrong. With the natural logarithm its unit is the *nat*; with the logarithm to base two it would be the bit.
#
# **Guess first**: which loss has a model that knows nothing?

# %%
model = small_gpt(48)
inputs_BT, targets_BT = next(tp.windows(held_out, context=T, batch_size=4))
logits_BTV = model(inputs_BT).detach()

probabilities_BTV = logits_BTV.exp() / logits_BTV.exp().sum(dim=-1, keepdim=True)
by_hand = sum(-probabilities_BTV[b, t, targets_BT[b, t]].log() for b in range(4) for t in range(T))
hidden_ND = model.hidden(inputs_BT).flatten(0, 1)
library = summed_cross_entropy(hidden_ND, model.token_embedding.weight, targets_BT.flatten())
assert torch.allclose(by_hand, library, rtol=1e-5)
assert torch.allclose(tp.cross_entropy(logits_BTV, targets_BT), library, rtol=1e-5)
mean = library.item() / targets_BT.numel()
assert abs(mean - math.log(V)) < 0.2
tp.say(
    f"The untrained model has {mean:.2f} nats per token. All {V:,} tokens are about equally likely to it, and the"
    f" logarithm of {V:,} is {math.log(V):.2f}."
)

# %% [markdown]
# Written like this, the softmax fails for large logits. **Guess first**: what is $e^{200}$ in a 32-bit number?

# %%
large = torch.tensor([[200.0, 199.0]])
naive = large.exp() / large.exp().sum()
assert naive.isnan().any()  # infinity divided by infinity
assert math.isclose(tp.cross_entropy(large, torch.tensor([0])).item(), math.log(1 + math.exp(-1)), rel_tol=1e-5)
tp.source(tp.cross_entropy)

# %% [markdown]
# Subtracting the largest logit changes nothing in the result, and the largest exponential becomes one. The library
# returns the *sum* over the tokens and divides later, once, by the number of tokens of the whole step: step 5 shows why.
#
# ## Step 2: AdamW
#
# The gradient says in which direction the loss grows. AdamW keeps two running averages for each parameter, of the
# gradient and of its square, and divides one by the root of the other. Then it does not matter whether the gradients of a
# parameter are small or large, and a parameter whose gradient keeps changing its sign takes smaller steps. Weight decay
# pulls each weight towards zero, apart from the gradient.

# %%
torch.manual_seed(2)
weight = torch.randn(5, 3)
twin = weight.clone().requires_grad_()
optimizer = torch.optim.AdamW([twin], lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
mean_gradient, mean_square = torch.zeros_like(weight), torch.zeros_like(weight)
for step in range(1, 6):
    gradient = torch.randn(5, 3)
    tp.adamw_step(weight, gradient, mean_gradient, mean_square, step, lr=0.01, weight_decay=0.1)
    twin.grad = gradient.clone()
    optimizer.step()
    assert torch.allclose(weight, twin, atol=1e-6)  # five steps, and torch's own are the same
tp.source(tp.adamw_step)

# %% [markdown]
# The averages start at zero, so the first ones are too small; dividing by $1 - \beta^t$ repairs that. **Guess first**: how
# long is the very first step of each parameter, whatever its gradient is?

# %%
weight, averages = torch.zeros(4), (torch.zeros(4), torch.zeros(4))
tp.adamw_step(weight, torch.tensor([1e-4, -1.0, 1.0, 1e4]), *averages, 1, lr=0.01, weight_decay=0.0)
assert torch.allclose(weight.abs(), torch.full((4,), 0.01), rtol=1e-3)
weight

# %% [markdown]
# The learning rate, against the sign of the gradient. A loss that is a thousand times as large would give the same step, and
# one bad batch cannot throw the weights far.
#
# ## Step 3: the loop
#
# Twelve lines train a model. They are all there is to it:

# %%
steps = chapter.pick(test=4, laptop=20)
by_hand = small_gpt(48)
library = copy.deepcopy(by_hand)

losses = []
optimizer = torch.optim.AdamW(by_hand.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
batches = tp.windows(corpus, context=T, batch_size=8, seed=1)
for _ in range(steps):
    inputs_BT, targets_BT = next(batches)
    logits_BTV = by_hand(inputs_BT)
    loss = tp.cross_entropy(logits_BTV, targets_BT) / targets_BT.numel()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 1.0)
    optimizer.step()
    losses.append(loss.item())

run = tp.fit(library, corpus, steps=steps, lr=1e-3, batch_size=8, seed=1)
assert np.allclose(losses, run.series("loss")[1], atol=2e-4)  # step for step
assert all(torch.allclose(a, b, atol=2e-4) for a, b in zip(by_hand.parameters(), library.parameters(), strict=True))
tp.say(
    f"By hand and with `tp.fit`, the loss goes from {losses[0]:.3f} to {losses[-1]:.3f} in {steps} steps, step for step."
)

# %% [markdown]
# What the library adds is everything around these lines: checkpoints, validation, logs, a budget, several processes. Its
# loop fits on one screen as well, and every training in this course goes through it. Read the `while`: it decides
# whether to go on, evaluates, takes a step, and saves.

# %%
from tuppence.training import loop

tp.source(loop.Loop.run)

# %% [markdown]
# ## Step 4: the schedule
#
# The first steps follow averages that hardly know anything: a *warm-up* keeps them short. The last steps should settle
# instead of wander: the rate *decays*. **Guess first**: two runs with the same peak, one with a constant rate and one
# whose rate falls in the last third. Which one is ahead at the end?
#
# These runs use *Muon* for the matrices inside the blocks: it turns the running average of a matrix's gradient into a step
# that moves all directions by the same amount (Jordan et al. 2024). AdamW goes on with embeddings, norms and biases.

# %%
schedules = {
    name: TrainConfig(schedule=name, warmup_steps=20, min_lr_factor=0.0) for name in ("constant", "cosine", "wsd")
}
rates = {
    name: [learning_rate_factor(config, step, step / 400) for step in range(400)] for name, config in schedules.items()
}
cosine = [min(1, (step + 1) / 20) * (1 + math.cos(math.pi * step / 400)) / 2 for step in range(400)]
assert np.allclose(cosine, rates["cosine"])
tp.figures.schedule(range(400), rates, warmup=20, unit="learning rate, as a share of the peak")

# %%
settings = {
    "steps": chapter.pick(test=10, laptop=200),
    "optimizer": "muon",
    "lr": 4e-2,
    "batch_size": 8,
    "val": held_out,
}
settings |= {"eval_every": settings["steps"] // 5, "warmup_steps": 5}
constant = tp.fit(small_gpt(48), corpus, schedule="constant", **settings)
decayed = tp.fit(small_gpt(48), corpus, schedule="wsd", decay_fraction=0.3, min_lr_factor=0.0, **settings)
if chapter.scale != "test":
    assert decayed.last("val_loss") < constant.last("val_loss") - 0.03
tp.figures.loss_curves(
    {"constant": constant.series("val_loss"), "decayed": decayed.series("val_loss")},
    unit="validation loss, nats per token",
    title="The decay of the last third separates the two",
)

# %% [markdown]
# Until the decay begins, both are the same run: the last part alone separates them. So the loss in the middle of a run
# says little about its end, and a run that is cut off has not earned its last part. Whoever knows the number of steps
# before the start plans the decay; `--max-minutes` and `--budget` do it by the share of the time or money that is spent.
#
# ## Step 5: accumulation
#
# A batch that does not fit into memory is split: the gradients of its parts are summed, and one step follows. **Guess
# first**: parts of unequal length have the mean losses 2 and 4. Is 3 the loss of both together?

# %%
losses, counts = torch.tensor([2.0, 4.0]), torch.tensor([30, 10])
wrong, right = losses.mean(), (losses * counts).sum() / counts.sum()
tp.say(f"The mean of the means is {wrong:.1f}, the mean over all tokens {right:.1f}: sum first, divide once.")

# %%
together, apart = small_gpt(48), small_gpt(48)
tp.fit(together, corpus, steps=5, batch_size=8)
tp.fit(apart, corpus, steps=5, batch_size=1, accumulation_steps=8)
difference = max((a - b).abs().max().item() for a, b in zip(together.parameters(), apart.parameters(), strict=True))
assert difference < 1e-4
tp.say(f"One batch of eight and eight batches of one: after five steps the weights differ by {difference:.0e} at most.")

# %% [markdown]
# ## Step 6: sixteen bits
#
# Half of the bits are half of the memory, and a GPU multiplies such matrices several times faster. There are two ways to spend sixteen
# bits: **fp16** has more digits, **bf16** the range of a 32-bit number. **Guess first**: which of them can hold 70,000, and
# which one knows that 257 is not 256?

# %%
numbers = [70_000.0, 1e-8, 257.0, 1 / 3]
rows = [
    [f"{x:g}", *(f"{torch.tensor(x).to(dtype).item():g}" for dtype in (torch.float16, torch.bfloat16))] for x in numbers
]
assert torch.tensor(70_000.0).to(torch.float16).isinf()
assert torch.tensor(257.0).to(torch.bfloat16) == 256
tp.Table(["number", "in fp16", "in bf16"], rows)

# %% [markdown]
# <!-- figures: 32 bits -->
# Small gradients vanish in fp16, so its users multiply the loss by a large factor before `backward` and divide the
# gradients by it afterwards; a step that overflows is skipped, and the factor halved. bf16 needs none of that, but a
# change of less than about a 256th of a number is lost in it. In both, the library keeps the weights in 32 bits and
# computes the matrix products in 16 (`train.precision`).
#
# ## Step 7: early stopping
#
# A model that sees twenty stories again and again learns them by heart. The training loss does not tell.

# %%
few = tp.tokens(texts[:20], tokenizer)
most = chapter.pick(test=8, laptop=300)
overfitted = tp.fit(
    small_gpt(96), few, steps=most, lr=3e-3, batch_size=8, val=held_out, eval_every=max(1, most // 12), patience=3
)
train_steps, train_losses = overfitted.series("loss")
val_steps, val_losses = overfitted.series("val_loss")
best = int(np.argmin(val_losses))
if chapter.scale != "test":
    assert best < len(val_losses) - 1
    assert overfitted.receipt.steps < most  # it stopped early
tp.figures.loss_curves(
    {"twenty stories": (train_steps, train_losses), "held out": (val_steps, val_losses)},
    title="The training loss falls on, the held-out loss turns",
)

# %%
tp.say(
    f"The held-out loss is lowest at step {val_steps[best]:.0f} ({val_losses[best]:.2f} nats); at the last step it is"
    f" {val_losses[-1]:.2f}, and the training loss {train_losses[-1]:.2f}. After three evaluations without a better one"
    " a run ends, and its result has the weights of the best evaluation, not of the last."
)

# %% [markdown]
# ## Step 8: killed and resumed
#
# Spot instances cost a fraction of the price and may be taken away at any moment. A checkpoint is complete or absent,
# and holds everything that the next step depends on: weights, averages of the optimizer, the number of the step. The
# order of the data is a function of the seed and the step.
#
# **Guess first**: we kill a run with `SIGKILL`, which no program can catch, and start the same command again. How far
# from the uninterrupted run will its weights be?

# %%
shutil.rmtree(chapter.folder, ignore_errors=True)
data = chapter.folder / "data"
story_file = chapter.folder / "stories.jsonl"
chapter.folder.mkdir(parents=True)
story_file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[:300]), encoding="utf-8")
prepare([story_file], tokenizer, data, val_fraction=0.1)

sizes = {"n_layers": 2, "n_heads": 2, "d_model": 32, "context_length": T}
last = chapter.pick(test=30, laptop=60)
keys = {**sizes, "checkpoint_every": 10, "log_every": 1, "eval_every": 0, "sample_tokens": 0}
whole = tp.pretrain(data, chapter.folder / "whole", steps=last, **keys)

command = [sys.executable, "-m", "tuppence", "pretrain", "--data", str(data), "--out", str(chapter.folder / "killed")]
command += ["--config", "quickstart", "--max-steps", str(last)]
command += [f"--set={'model' if key in sizes else 'train'}.{key}={value}" for key, value in keys.items()]
process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while not list((chapter.folder / "killed" / "checkpoints").glob("step-*")) and process.poll() is None:
    time.sleep(0.01)
process.send_signal(signal.SIGKILL)
process.wait()
first_life = tp.open(chapter.folder / "killed").series("loss")
subprocess.run(command, check=True, capture_output=True)
killed = tp.open(chapter.folder / "killed")

# %%
hashes = tuple(
    hashlib.sha256((run.path / "model" / "model.safetensors").read_bytes()).hexdigest() for run in (whole, killed)
)
assert hashes[0] == hashes[1]
assert killed.receipt.attempts == 2
tp.figures.resume_proof(*whole.series("loss"), *killed.series("loss"), killed_at=int(max(first_life[0])), hashes=hashes)

# %% [markdown]
# Not close: equal. The same command found the checkpoint, repeated the steps after it and went on. The ledger counts
# both lives, because the bill does.
#
# ## Step 9: a budget
#
# A run has a price per second from its first second. Given a rate and a cap, it measures its own speed, keeps back what
# saving and the last validation will cost, and ends before the cap, with a trained model.

# %%
rate = rate_of("ml.g4dn.xlarge")
seconds = chapter.pick(test=6, laptop=20)
cap = seconds * rate.rate_usd_per_hour / 3600
paid = tp.pretrain(data, chapter.folder / "paid", budget=cap, rate=rate.rate_usd_per_hour, **keys)
spent = paid.receipt.dollars
assert 0 < spent <= cap
tp.figures.plot_dollars(paid.series("seconds")[1], paid.series("dollars")[1], budget=cap)

# %%
tp.say(
    f"At \\${rate.rate_usd_per_hour} an hour, the cap of \\${cap:.4f} allowed {paid.receipt.steps:,} steps; \\${spent:.4f} are"
    f" spent, {spent / cap:.0%} of it."
)

# %% [markdown]
# ## Step 10: what does one more dollar buy?
#
# A dollar buys operations: about $6ND$ for $N$ parameters and $D$ tokens. They can be spent on a larger model or on more
# tokens. **Guess first**: one model has four times the block parameters of another and gets half of the tokens. Here both take
# about the same time, although the first needs more operations: the small matrices of the second use a processor less
# well, and the output layer, which grows only with the width, is a large part of it. Which one is better?
#
# Eight runs, each to its end, answer it. The first six are short. The last two are larger than all others, and their loss
# is predicted *before* they run.

# %%


def loss_of(width: int, layers: int, steps: int, seed: int = 1) -> tuple[Point, float]:
    """Trains a model to the end, and returns its size, tokens and loss, and the seconds it took."""
    model, began = small_gpt(width, layers, seed), time.perf_counter()
    run = tp.fit(
        model, corpus, steps=steps, lr=1e-2, optimizer="muon", val=held_out, batch_size=16, seed=seed,
        schedule="wsd", decay_fraction=0.7, min_lr_factor=0.0, warmup_steps=10,
    )  # fmt: skip
    parameters = sum(parameter.numel() for block in model.blocks for parameter in block.parameters())
    return Point(parameters, steps * 16 * T, run.last("val_loss")), time.perf_counter() - began


unit = chapter.pick(test=1, laptop=100)
short = [(16, 1, 4), (48, 2, 1), (48, 2, 2), (48, 2, 4), (96, 2, 1), (96, 2, 2)]
points = [loss_of(width, layers, unit * times)[0] for width, layers, times in short]
law = fit_law(points)
larger_model, more_tokens = (96, 2, 4 * unit), (48, 2, 8 * unit)
sizes_of = {96: points[-1].parameters, 48: points[1].parameters}
predicted = {spec: law.loss(sizes_of[spec[0]], spec[2] * 16 * T) for spec in (larger_model, more_tokens)}
tp.say(
    f"The law fitted to six short runs: L = {law.floor:.2f} + {law.size:.3g}/N^{law.size_exponent:.2f} +"
    f" {law.data:.3g}/D^{law.data_exponent:.2f}. It predicts {predicted[larger_model]:.2f} nats for the larger model and"
    f" {predicted[more_tokens]:.2f} for more tokens, and admits an error of {law.error:.2f}."
)

# %%
found = {spec: loss_of(*spec) for spec in (larger_model, more_tokens)}
(big, big_seconds), (long, long_seconds) = found[larger_model], found[more_tokens]
if chapter.scale != "test":
    assert abs(big.loss - long.loss) < 0.15  # the surprise: they end the same
    assert max(big.loss, long.loss) < min(point.loss for point in points) - 0.2
    assert abs(predicted[larger_model] - big.loss) < 0.4
everything = [*points, big, long]
tp.figures.scaling_law(
    [6 * point.parameters * point.tokens for point in everything],
    [point.loss for point in everything],
    names=[*(f"{point.parameters / 1e3:.0f}k × {point.tokens / 1e3:.0f}k" for point in points), "", ""],
    prediction=(6 * big.parameters * big.tokens, predicted[larger_model], big.loss),
)

# %%
tp.say(
    f"{big.parameters / 1e3:.0f}k block parameters on {big.tokens / 1e3:.0f}k tokens reach {big.loss:.3f} in"
    f" {big_seconds:.0f} s; {long.parameters / 1e3:.0f}k on {long.tokens / 1e3:.0f}k reach {long.loss:.3f} in"
    f" {long_seconds:.0f} s. For one price there is a flat valley of good shapes. Outside it the money is wasted: the"
    f" smallest model on as many tokens ends at {points[0].loss:.2f}, the largest on a quarter of them at"
    f" {points[4].loss:.2f}. The prediction was off by {abs(predicted[larger_model] - big.loss):.2f}."
)

# %% [markdown]
# `tuppence plan` uses a law of the same form at full size, with the constants of published runs.
#
# ## The base model of the next chapters
#
# Chapters 6 to 8 finetune one model. It is trained here, unless it is there already.

# %%
base = tp.course.base()
samples = [
    (int(row["step"]), row["text"][:90]) for row in (base.samples[number] for number in range(len(base.samples)))
]
shown = [samples[number] for number in sorted({0, len(samples) // 2, len(samples) - 1})]
tp.figures.loss_and_samples(*base.series("loss"), shown)

# %% [markdown]
# <!-- figures: 120 seconds -->
# ## On AWS: a spot machine that is taken twice
#
# SageMaker runs a verb line as a *training job*: it rents a machine, copies the inputs from S3, starts our code and
# returns the machine. A *spot* machine costs less and may be taken back: the process gets SIGTERM and 120 seconds, later
# the job starts again on an empty machine. `tuppence aws launch --spot --budget 2 pretrain …` is the command; a cell calls
# `tp.launch`.
#
# What follows runs against a SageMaker and an S3 of this machine. They are our reading of AWS's documentation: they try
# our client, our job and our accounts, and prove nothing about AWS. After `tuppence aws init` and with
# `TUPPENCE_AWS=account` the same cells run on AWS, and cost money.

# %%
cloud = tp.cloud()
spot_steps, taken = chapter.pick(test=120, laptop=300), chapter.pick(test=1, laptop=2)
spot_keys = {**keys, "checkpoint_every": spot_steps // 6, "log_every": 10}
expected = tp.pretrain(data, chapter.folder / "expected", steps=spot_steps, **spot_keys)
cloud

# %% [markdown]
# The words are those of the command line in step 8. The output lies in the bucket, because nothing else survives the
# machine. **Guess first**: what differs from the run above, which nobody interrupted: the weights, the bill, or both?

# %%
line = ["pretrain", "--data", data, "--out", "runs/spot", "--config", "quickstart", "--max-steps", spot_steps]
line += [f"--set={'model' if key in sizes else 'train'}.{key}={value}" for key, value in spot_keys.items()]
job = tp.launch(*line, instance="ml.g4dn.xlarge", spot=True, budget=2, interruptions=taken)
job

# %%
job.phases

# %%
resumed = job.run  # copied from S3, each file compared with its SHA-256
hashes = [
    hashlib.sha256((run.path / "model" / "model.safetensors").read_bytes()).hexdigest() for run in (expected, resumed)
]
if cloud.is_rehearsal:
    assert job.interruptions == taken
    assert hashes[0] == hashes[1]  # another processor may round in another way
bill = job.receipt.billed_seconds / 3600 * job.receipt.price.usd
assert math.isclose(bill, job.receipt.billed_usd)
assert job.receipt.unreduced_usd <= job.receipt.run_usd <= 2
tp.say(
    f"The machine was taken {job.interruptions} times, and the weights are"
    f" {'the same to the bit' if hashes[0] == hashes[1] else 'not the same to the bit'}. The bill by hand:"
    f" {job.receipt.billed_seconds:,.0f} s × \\${job.receipt.price.usd} an hour = \\${bill:.4f}. The run's own ledger has"
    f" \\${job.receipt.run_usd:.4f}: it counts every second at the full price, and what it cannot see, the end of a"
    " machine, it assumes. So the cap holds even if spot saves nothing."
)

# %%
tp.say(
    f"The clock of the rehearsal runs {job.speed:.0f} times as fast as yours, so the starts of Python weigh"
    f" heavily; and that spot bills {1 - job.receipt.saved_share:.0%} of the seconds is our assumption. AWS decides both, and"
    " `tuppence aws receipt` reads what it decided."
    if cloud.is_rehearsal
    else f"AWS billed {1 - job.receipt.saved_share:.0%} of the seconds that the job ran."
)

# %% [markdown]
# An interruption loses no step that S3 has, and costs a start: image, inputs, Python. The machine ends with the job, which
# is why a job is safer for a purse than a machine that waits for you.

# %%
cloud.close()

# %% [markdown]
# ## What we can now say
#
# - The loss is $-\log p$ of what came, summed over tokens and divided once. It starts at the logarithm of the vocabulary.
# - AdamW moves a parameter by about the learning rate or less, whether its gradients are small or large.
# - A checkpoint that holds everything makes a kill invisible in the weights, but not on the bill.
# - For one price, two different shapes ended the same. The end of a run can be predicted, with an error, from shorter runs.
#
# **What this chapter took.** The dollars are those of step 9, at the price of a machine that nobody rented:

# %%
chapter.receipt(run, constant, decayed, overfitted, whole, killed, paid, base)

# %% [markdown]
# ## Exercises
#
# Write the function in a cell of your own, then let `tp.check` try it.
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | 5.1 `cross_entropy(logits, targets)`: the sum over targets that are not -100, finite for large logits | ●●○ | ●●● | 15 |
# | 5.2 `adamw_step(...)`: one step of AdamW, in place | ●●○ | ●●○ | 20 |
# | 5.3 `accumulate(losses, counts)`: the loss of a batch from the losses of its parts | ●○○ | ●●● | 5 |

# %%
tp.check(5)

# %% [markdown]
# **Papers**: Kingma and Ba, [*Adam*](https://arxiv.org/abs/1412.6980) (2014) · Loshchilov and Hutter,
# [*Decoupled weight decay*](https://arxiv.org/abs/1711.05101) (2017) · Micikevicius et al.,
# [*Mixed precision training*](https://arxiv.org/abs/1710.03740) (2017) · Hoffmann et al.,
# [*Training compute-optimal large language models*](https://arxiv.org/abs/2203.15556) (2022) · Besiroglu et al.,
# [*Chinchilla scaling: a replication attempt*](https://arxiv.org/abs/2404.10102) (2024).
#
# **Next**: chapter 6. The model can continue a text. Does that help it to read one?
