# %% [markdown]
# # 7 · Instructions: how few numbers must change to teach obedience?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/07_Instructions.ipynb)
#
# A base model continues texts. Ask it a question, and it goes on with a story. An assistant answers, and then it stops.
# The step between the two is a short training on pairs of a request and an answer. This chapter takes that step several
# times, each time with more trainable numbers, and measures what is learned, and what is lost.
#
# **You will learn**
#
# - what a chat template is, as token ids
# - why the prompt has no loss, why the end token has one, and why padding is not the end
# - LoRA by hand: a correction of low rank beside a frozen matrix, and how it disappears by merging
# - what more rank buys, and what it costs
#
# **You need**: chapters 4 and 5. **AWS services**: none. Everything runs where you are.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(7)
chapter

# %%
import copy
import math
import shutil

import torch

from tuppence.data.buckets import IGNORED_TARGET, pad
from tuppence.data.records.encoding import encode_conversation, encode_prompt
from tuppence.model.linear import Linear
from tuppence.model.lora import lora_layers, merge_lora, unmerge_lora
from tuppence.model.sampling import Sampling
from tuppence.model.text import generate_text
from tuppence.tasks.instruct import response_loss
from tuppence.tokenizer.chat_template import Message, render

shutil.rmtree(chapter.folder, ignore_errors=True)
base = tp.course.base()
tokenizer, end = base.tokenizer, base.tokenizer.end_of_text
context = base.model.config.context_length
base

# %% [markdown]
# ## Step 1: a conversation is one row of tokens
#
# The tasks are generated, and each has one right answer: spell a word, compare two numbers, find a word in a sentence.
# Some have an `input` that the instruction is about.

# %%
rows = tp.instructions(chapter.pick(test=300, laptop=3000))
tp.Table(["kind", "instruction", "input", "output"], [[r.kind, r.instruction, r.input, r.output] for r in rows[:6]])

# %% [markdown]
# A model reads no roles, only tokens. A *template* writes the roles as text: a heading before the request, a heading
# before the answer, and the end-of-text token behind it.
#
# **Guess first**: must the headings be special tokens, so that no user can write them?

# %%
request, reply = "Name a fruit.", "Plum."
turns = [Message("user", request), Message("assistant", reply)]

prompt_text = f"### Instruction:\n{request}\n\n### Response:\n"  # by hand
prompt_ids = tokenizer.encode(prompt_text)
by_hand = [*prompt_ids, *tokenizer.encode(reply), end]
encoded = encode_conversation(tokenizer, turns, context_length=context)
assert prompt_ids == encode_prompt(tokenizer, turns[:1])
assert by_hand[:-1] == encoded.ids.tolist()
tp.show_tokens(tokenizer, by_hand)

# %%
tp.source(render)

# %% [markdown]
# In this template, only the end is a special token. A user can write a line that *looks* like a heading. But only the
# token ends an answer, and text that spells its name is plain text: it has other ids.

# %%
assert end not in tokenizer.encode("<|endoftext|>")

# %% [markdown]
# ## Step 2: the prompt has no loss, the end has one
#
# At every place the target is the next token, as in pretraining. But the model need not learn to write requests. So the
# targets inside the prompt become $-100$, which means "no target".
#
# **Guess first**: at the last token of the prompt, is there a target?

# %%
n = len(prompt_ids)
targets_by_hand = []
for place, token in enumerate(by_hand):
    if place > 0:  # the target of the place before
        targets_by_hand.append(token if place >= n else IGNORED_TARGET)
assert targets_by_hand == encoded.targets.tolist()
assert targets_by_hand[n - 1] == by_hand[n]  # the last token of the prompt predicts the first of the answer
assert targets_by_hand[-1] == end
tp.figures.loss_mask([tokenizer.decode([token]) for token in by_hand], [place >= n for place in range(len(by_hand))])

# %% [markdown]
# There is one: the prompt's last token predicts the first token of the answer. And the last target is the end token. **A
# model that never has the end as a target never learns to stop.**
#
# The loss is that of chapter 5, summed over the places that have a target.

# %%
tokens_1T, targets_1T = torch.tensor([by_hand[:-1]]), torch.tensor([targets_by_hand])
device = base.model.token_embedding.weight.device
with torch.no_grad():
    log_p = torch.log_softmax(base.model(tokens_1T.to(device))[0].float(), dim=-1)
    loss_by_hand = -sum(log_p[place, token] for place, token in enumerate(targets_by_hand) if token != IGNORED_TARGET)
    loss = response_loss(base.model, tokens_1T.to(device), targets_1T.to(device))
assert torch.allclose(loss, loss_by_hand, rtol=1e-4)
counted = len(by_hand) - n
tp.say(
    f"The answer costs the base model {loss.item():.1f} nats: {loss.item() / counted:.1f} for each of its {counted} tokens."
)

# %% [markdown]
# ## Step 3: padding is not the end
#
# Rows of a batch have different lengths. The short ones are filled up, and the filling must have no loss. Many models
# have no padding token, so people fill with the end token, and then give *every* end token the target $-100$.
#
# **Guess first**: what does a model do that was trained this way?

# %%
pairs = [(request, reply), ("Is 7 even or odd?", "It is odd, like 1, 3 and 5.")]
encodings = [
    encode_conversation(tokenizer, [Message("user", asked), Message("assistant", said)], context_length=context)
    for asked, said in pairs
]
longest = max(len(row.ids) for row in encodings)
inputs_BT = torch.full((len(pairs), longest), end)  # by hand: the filling may be any token ...
targets_BT = torch.full((len(pairs), longest), IGNORED_TARGET)  # ... as long as it is no target
for number, row in enumerate(encodings):
    inputs_BT[number, : len(row.ids)] = torch.from_numpy(row.ids)
    targets_BT[number, : len(row.ids)] = torch.from_numpy(row.targets)
library_BT = torch.from_numpy(pad([row.targets for row in encodings], IGNORED_TARGET, limit=context))
assert torch.equal(targets_BT, library_BT[:, :longest])

with torch.no_grad():
    together = response_loss(base.model, inputs_BT.to(device), targets_BT.to(device))
    alone = sum(
        response_loss(
            base.model, torch.from_numpy(row.ids)[None].to(device), torch.from_numpy(row.targets)[None].to(device)
        )
        for row in encodings
    )
assert torch.allclose(together, alone, rtol=1e-4)

wrong_BT = targets_BT.masked_fill(targets_BT == end, IGNORED_TARGET)
assert (targets_BT == end).sum() == len(pairs)
assert (wrong_BT == end).sum() == 0
tp.say(
    f"Masked by position, {(targets_BT == end).sum()} of the {len(pairs)} rows teach the end. "
    f"Masked by the id of the token, {(wrong_BT == end).sum()} do."
)

# %% [markdown]
# It never stops. Nothing in the loss curve shows this mistake: the model answers, and then goes on and on. Mask by
# position, not by id.
#
# ## Step 4: what the base model says
#
# **Guess first**: the base model has read only stories. What does it reply to a request in the template?


# %%
def asked(task):
    return task.instruction + ("\n\n" + task.input if task.input else "")


def replies(run, tasks, most=30):
    """Greedy answers in the template, and for each whether it ended by itself."""
    prompts = [encode_prompt(tokenizer, [Message("user", asked(task))]) for task in tasks]
    texts = [tokenizer.decode(ids) for ids in prompts]
    found = generate_text(run.model, tokenizer, texts, Sampling(temperature=0, max_tokens=most))
    return [(each.text.strip(), each.finish_reason == "stop") for each in found]


test_tasks = tp.instructions(chapter.pick(test=20, laptop=200), seed=77)  # another seed: new tasks
before = replies(base, test_tasks)
tp.Table(
    ["request", "right answer", "base model"],
    [[asked(t), t.output, b[0]] for t, b in zip(test_tasks[:5], before, strict=False)],
)

# %% [markdown]
# It goes on writing. The template means nothing to it, and the end of an answer even less.
#
# ## Step 5: LoRA by hand
#
# To teach it, we could train all its weights. But then every task needs its own copy of the whole model, and the
# optimizer needs room for two more. LoRA leaves every matrix $W$ as it is, and trains a *correction* of low rank beside it:
#
# $$y = x W^\top + b + \frac{\alpha}{r}\, x A^\top B^\top$$
#
# $A$ is $(r, \text{in})$ and reads $r$ numbers from $x$. $B$ is $(\text{out}, r)$ and writes them to the output.
#
# **Guess first**: $A$ starts at random and $B$ with zeros. What does the model say before the first step? And why not
# both zero?

# %%
D, r, alpha = 128, 4, 8.0
layer = tp.LoRALinear(Linear(D, 3 * D), tp.LoRA(rank=r, alpha=alpha))
x_ND = torch.randn(5, D)
with torch.no_grad():
    assert torch.allclose(layer(x_ND), x_ND @ layer.weight.T + layer.bias, atol=1e-5)  # B is zero
    layer.lora_B.normal_()  # as if it had been trained
    W, A, B = layer.weight, layer.lora_A, layer.lora_B
    by_hand = x_ND @ W.T + layer.bias + (alpha / r) * (x_ND @ A.T) @ B.T
    assert torch.allclose(layer(x_ND), by_hand, atol=1e-4)
tp.source(tp.LoRALinear.forward)

# %% [markdown]
# With $B = 0$ nothing changes: training starts exactly at the base. If $A$ were zero too, each would block the other's
# gradient, and nothing would ever move.
#
# Why $\alpha / r$? The correction is a sum of $r$ terms. The factor makes it an average times $\alpha$, so the rank can
# change without a new learning rate. Now the whole model:

# %%
adapted = copy.deepcopy(base.model)
tp.add_lora(adapted, tp.LoRA(rank=r, alpha=alpha))
tokens = tokens_1T.to(device)
with torch.no_grad():
    assert torch.equal(adapted(tokens), base.model(tokens))  # nothing has changed
layers = dict(lora_layers(adapted))
by_hand = sum(r * (each.in_features + each.out_features) for each in layers.values())
trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
assert by_hand == trained
total = base.model.config.parameter_count()
tp.say(f"{len(layers)} matrices have an adapter of rank {r}: {trained:,} trained numbers beside {total:,} frozen ones.")

# %% [markdown]
# ## Step 6: an adapter costs nothing in the end
#
# Two matrix products more for every layer: does the finished model stay slower?
#
# **Guess first**: can $\frac{\alpha}{r} B A$ be added to $W$? And can it be taken out again, to the bit?

# %%
with torch.no_grad():
    for each in layers.values():
        each.lora_B.normal_(std=0.02)  # as if it had been trained
    unmerged = adapted(tokens)
    originals = {name: each.weight.clone() for name, each in layers.items()}
    sums = {name: each.weight + (alpha / r) * each.lora_B @ each.lora_A for name, each in layers.items()}  # by hand

    merge_lora(adapted)
    assert all(torch.allclose(each.weight, sums[name], atol=1e-5) for name, each in layers.items())
    assert torch.allclose(adapted(tokens), unmerged, atol=1e-3)
    assert not torch.allclose(unmerged, base.model(tokens), atol=1e-2)

    unmerge_lora(adapted)
    assert all(torch.equal(each.weight, originals[name]) for name, each in layers.items())
tp.source(merge_lora)

# %% [markdown]
# Yes, and yes. $x W^\top + \frac{\alpha}{r} x A^\top B^\top = x (W + \frac{\alpha}{r} B A)^\top$. The merged model is a
# plain GPT. To undo it, the library keeps the old weight; subtracting would leave rounding errors.
#
# ## Step 7: how few numbers?
#
# The experiment. The same rows, the same steps, the same optimizer. Rank 1 is the smallest correction there is: each
# matrix may read *one* number from its input, and write it in *one* direction. At the other end, all weights are trained.
# Two things are measured: the loss on answers to held-out tasks, and the loss on new stories, which the base model knows
# well and which nobody trains now.
#
# **Guess first**: how much of what full training learns does rank 1 learn? And which of them forgets the stories?

# %%
new_stories = tp.stories(chapter.pick(test=5, laptop=20), seed=99)
steps = chapter.pick(test=10, laptop=100)


def stories_loss(run):
    return tp.perplexity(run.model, tokenizer, new_stories).loss


def finetuned(name, seed=1, **keys):
    place = chapter.folder / f"{name.replace(' ', '-')}-{seed}"
    return tp.instruct(
        base, rows, place, steps=steps, eval_every=steps, seed=seed, sample_every=0, sample_tokens=0, **keys
    )


settings = {"rank 1": {"rank": 1}, "rank 4": {"rank": 4}, "rank 16": {"rank": 16}, "all": {"full": True}}


def compare(seed=1):
    runs = {name: finetuned(name, seed, **keys) for name, keys in settings.items()}
    start = runs["all"].series("val_loss")[1][0]
    answers = [run.series("val_loss")[1][-1] for run in runs.values()]
    return runs, start, answers, [stories_loss(run) for run in runs.values()]


# %%
runs, start, answers, forgotten = compare()

# %%
knew = stories_loss(base)
learned = [(start - each) / (start - answers[-1]) for each in answers]  # as a share of what full training learns
numbers = [trained // r * keys["rank"] if "rank" in keys else total for keys in settings.values()]
assert answers == sorted(answers, reverse=True)  # more numbers learn more ...
assert forgotten == sorted(forgotten)  # ... and forget more
assert learned[0] > chapter.pick(test=0.0, laptop=0.3)  # the surprise: a single rank already learns a lot,
assert forgotten[0] - knew < chapter.pick(test=0.1, laptop=0.3)  # and forgets next to nothing,
assert forgotten[-1] - knew > chapter.pick(test=0.05, laptop=2.0)  # while full training loses the stories
tp.figures.rank_and_forgetting(
    [f"{name}\n{number / total:.1%}" for name, number in zip(settings, numbers, strict=True)],
    answers,
    forgotten,
    before=(start, knew),
    title=f"Rank 1 learns {learned[0]:.0%} of what all weights learn, and forgets little",
)

# %%
tp.say(
    f"Rank 1 trains {numbers[0]:,} numbers, {numbers[0] / total:.1%} of the model, and learns {learned[0]:.0%} of what full "
    f"training learns in these steps. The loss on stories goes from {knew:.2f} to {forgotten[0]:.2f} nats. Full training "
    f"learns most, and pays {forgotten[-1] - knew:.2f} nats for it: a token of a story gets "
    f"{math.exp(forgotten[-1] - knew):.0f} times less probability than before."
)

# %% [markdown]
# Nobody told the model to forget. The stories are no longer in the data, so nothing in the loss holds them. A small
# correction cannot move far; all weights together can. **Learning and forgetting rise together, and the rank is the
# handle.** To hold both, one mixes some of the old data into the new.
#
# ## Step 8: the shape of the change
#
# $\Delta W$ is the difference between a matrix after and before. Its singular values say in how many directions it acts.
#
# **Guess first**: is the change of full training of low rank by itself?

# %%
name = list(layers)[-1] + ".weight"
old = base.model.state_dict()[name].float()
spectra = {
    label: torch.linalg.svdvals(runs[label].model.state_dict()[name].float() - old).cpu()
    for label in ("all", "rank 16", "rank 1")
}
assert spectra["rank 1"][1] < 1e-3 * spectra["rank 1"][0]  # the merged change of rank 1 has one direction
assert spectra["rank 16"][16] < 1e-3 * spectra["rank 16"][0]


def directions(values):
    """How many singular values hold nine tenths of the squared norm."""
    shares = (values**2).cumsum(0) / (values**2).sum()
    return int((shares < 0.9).sum()) + 1


tp.figures.singular_values({label: spectra[label].numpy() for label in ("all", "rank 16")})

# %%
tp.say(
    f"Nine tenths of the change of full training need {directions(spectra['all'])} of {len(spectra['all'])} directions. "
    f"Rank 16 uses {directions(spectra['rank 16'])}, and rank 1 has {directions(spectra['rank 1'])}."
)

# %% [markdown]
# Full training uses many directions. Its optimizer here is Muon, which makes the directions of every step equally
# long (chapter 5), so the spectrum is flat. Low rank is no law that training follows by itself. It is a limit that we
# set, and within this limit there is room for a good part of the task.
#
# ## Step 9: before and after
#
# **Guess first**: after these few steps, which will be better: the *form* of the answers, or their *content*?

# %%
best = runs["all"]
after = replies(best, test_tasks)
tp.Table(
    ["request", "right answer", "before", "after"],
    [[asked(t), t.output, b[0][:60], a[0]] for t, b, a in zip(test_tasks[:12], before, after, strict=False)],
)

# %%
kinds: dict[str, list[int]] = {}
for task, (_, ended_before), (text, ended) in zip(test_tasks, before, after, strict=True):
    count = kinds.setdefault(task.kind, [0, 0, 0, 0])
    for place, value in enumerate((1, ended_before, ended, text == task.output)):
        count[place] += value
common = sorted(kinds.items(), key=lambda item: -item[1][0])[:12]
tp.Table(["kind", "tasks", "ended, before", "ended, after", "right, after"], [[kind, *count] for kind, count in common])

# %%
count, stopped_before, stopped, right = (sum(column) for column in zip(*kinds.values(), strict=True))
assert stopped - stopped_before >= chapter.pick(test=0, laptop=0.5) * count
tp.say(
    f"Of {count} new tasks, the base model ended its answer {stopped_before} times, the finetuned one {stopped} times. "
    f"It is exactly right {right} times."
)

# %% [markdown]
# The form comes first. The model answers a comparison with yes or no, a request for a word with a word, and then it stops.
# The content is mostly wrong. That is the honest verdict at this size: **finetuning teaches a model how to answer. What it
# answers with must come from the base**, and ours has read nothing but stories. Longer training brings more right
# answers (`tuppence quickstart` takes more steps); a larger base brings many more.
#
# ## Exercises
#
# Write the function, and run the cell. The check names the property that fails, and the smallest input that shows it.
# It never shows a solution. A function without a body counts as not written.
#
# <!-- figures: 10 minutes -->
#
# **7.1 Mask the prompt** · difficulty ●●○ · importance ●●● · 10 minutes. The first $n$ ids are the prompt, the last is the
# end token.


# %%
def mask_prompt(ids, n):
    """The targets, a list one shorter than ids: the next token, or -100 where it belongs to the prompt."""


tp.check(mask_prompt)

# %% [markdown]
# <!-- figures: 15 minutes -->
#
# **7.2 LoRA** · difficulty ●●○ · importance ●●● · 15 minutes. A linear layer with its correction.


# %%
def lora_forward(x, W, b, A, B, alpha, r):
    """x (N, in), W (out, in), b (out,), A (r, in), B (out, r). Returns (N, out)."""


tp.check(lora_forward)

# %% [markdown]
# <!-- figures: 10 minutes -->
#
# **7.3 Merge** · difficulty ●○○ · importance ●●○ · 10 minutes. The weight that gives without LoRA what $W$ gives with it.


# %%
def merge(W, A, B, alpha, r):
    """A new weight (out, in); W itself stays as it is."""


tp.check(merge)

# %% [markdown]
# More to try, without a check:
#
# - Give only `attention.qkv` an adapter: `lora__targets=["attention.qkv"]`. What is lost?
# - Train rank 1 four times as long. Does it reach rank 16? And does it still know the stories?
# - Mask the end token, and count how often the model stops.
#
# ## What you can say now
#
# - A template turns a conversation into one row of tokens. Only the answer and its end are targets.
# - Padding has no target. The end has one, even if both are the same token.
# - LoRA trains a correction of low rank that starts at zero, and merges into the weight without a trace.
# - A single rank already learns a good part of the form. More numbers learn more, and forget more.
# - Finetuning teaches how to answer; what to answer must come from pretraining.

# %%
chapter.receipt(*runs.values())

# %% [markdown]
# **Papers**
#
# - Hu et al. 2021, "LoRA", arXiv:2106.09685: the correction of low rank
# - Biderman et al. 2024, "LoRA Learns Less and Forgets Less", arXiv:2405.09673: step 7 on large models
# - Ouyang et al. 2022, "Training language models to follow instructions", arXiv:2203.02155: from base to assistant
# - Taori et al. 2023, "Stanford Alpaca": rows of instruction, input and output
#
# **Next**: chapter 8 asks which of two answers is better, and trains on the reply.
