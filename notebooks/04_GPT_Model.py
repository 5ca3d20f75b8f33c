# %% [markdown]
# # 4 · The GPT model: which parts are really needed?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/04_GPT_Model.ipynb)
#
# A GPT is attention and four other parts: layer norm, an MLP, residual connections, and position embeddings. You write
# each of them in a few lines, put them together, and get the logits of the library's model, number by number. Then you
# take the parts out again, one at a time, and train what is left.
#
# **You will learn**
#
# - what each part of a GPT computes, and that there is nothing else in it
# - where the parameters are, and where the computation is
# - which parts a small model needs, measured, and how a loss can lie
# - how the next token is drawn: temperature, top-k, top-p
# - why generation needs a cache, and how others open your model
#
# **You need**: chapter 3. **AWS services**: S3 for checkpoints, rehearsed on this machine.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(4)
chapter

# %%
import json
import math
import time
import warnings

import torch
from torch.nn import functional as F

from tuppence.aws.template import StackSettings, render
from tuppence.cost.rates import REGION, prices
from tuppence.data.prepare import prepare
from tuppence.model.cache import KVCache
from tuppence.model.generate import generate
from tuppence.model.gpt import MLP, Block, gelu
from tuppence.model.loaded import load
from tuppence.model.sampling import Sampling, choose, probabilities
from tuppence.model.saving import save_model
from tuppence.storage import open_store, remote_output, stage_run

config = chapter.pick(
    test=tp.ModelConfig(n_layers=2, n_heads=2, d_model=32, context_length=32, vocab_size=300),
    laptop=tp.ModelConfig(n_layers=4, n_heads=4, d_model=64, context_length=64, vocab_size=512),
    gpu=tp.ModelConfig(n_layers=6, n_heads=6, d_model=384, context_length=256, vocab_size=4096),
)
model = tp.GPT(config)
config

# %% [markdown]
# ## Step 1: layer norm
#
# The numbers that run through a deep network must neither grow nor vanish. Layer norm gives every token's vector the
# mean $0$ and the variance $1$, and then lets the model choose another scale and shift:
#
# $$\operatorname{norm}(x) = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} \odot g + b$$
#
# The mean $\mu$ and the variance $\sigma^2$ are those of *one token*, over its $D$ numbers. No other token, and no other
# text of the batch, has any influence.
#
# **Guess first**: what does layer norm return for a vector that is a hundred times as long?


# %%
def layer_norm_by_hand(x_BTD, weight, bias, epsilon=1e-5):
    mean = x_BTD.mean(dim=-1, keepdim=True)
    variance = ((x_BTD - mean) ** 2).mean(dim=-1, keepdim=True)  # divided by D, not by D - 1
    return (x_BTD - mean) / torch.sqrt(variance + epsilon) * weight + bias


x_BTD = 3 * torch.randn(2, 5, config.d_model) + 7
norm = model.blocks[0].mlp_norm
normed_BTD = layer_norm_by_hand(x_BTD, norm.weight, norm.bias)
assert torch.allclose(normed_BTD, norm(x_BTD), atol=1e-5)
assert torch.allclose(layer_norm_by_hand(100 * x_BTD, norm.weight, norm.bias), normed_BTD, atol=1e-3)
tp.say(
    f"Before: mean {x_BTD[0, 0].mean():.2f}, standard deviation {x_BTD[0, 0].std(correction=0):.2f}. After: mean "
    f"{normed_BTD[0, 0].mean().abs():.2f}, standard deviation {normed_BTD[0, 0].std(correction=0):.2f}."
)

# %% [markdown]
# The same vector comes back. **After a layer norm only the direction of a vector counts, not its length.**
#
# ## Step 2: the MLP
#
# Attention moves information between tokens. The MLP works on each token alone: it makes the vector four times as wide,
# bends it, and makes it narrow again. The bend is GELU, $x \cdot \Phi(x)$, where $\Phi$ is the probability that a
# standard normal number is below $x$. Large positive numbers pass, large negative ones become zero, and there is no
# corner in between. GPT-2 computes it with a $\tanh$ that comes close.
#
# **Guess first**: without the bend, what could two linear layers do that one cannot?

# %%
x = torch.linspace(-6, 6, 1001)
exact = x * (1 + torch.erf(x / math.sqrt(2))) / 2
close = x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2
assert torch.allclose(gelu(x), close, atol=1e-6)
assert (gelu(x) - exact).abs().max() < 1e-3


def mlp_by_hand(x_BTD, mlp):
    wide = x_BTD @ mlp.expand.weight.T + mlp.expand.bias  # D → 4D
    bent = wide * (1 + torch.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3))) / 2
    return bent @ mlp.contract.weight.T + mlp.contract.bias  # 4D → D


mlp = model.blocks[0].mlp
assert torch.allclose(mlp_by_hand(x_BTD, mlp), mlp(x_BTD), atol=1e-5)

linear = (x_BTD @ mlp.expand.weight.T) @ mlp.contract.weight.T  # no bend
assert torch.allclose(linear, x_BTD @ (mlp.contract.weight @ mlp.expand.weight).T, atol=1e-4)
tp.source(MLP)

# %% [markdown]
# Nothing: two matrices in a row are one matrix. **The bend is what makes depth worth anything.**
#
# ## Step 3: the residual stream
#
# A block does not replace a token's vector, it *adds* to it: $x + \operatorname{attention}(\operatorname{norm}(x))$, then
# $x + \operatorname{mlp}(\operatorname{norm}(x))$. So there is a straight path from the embedding to the logits, and
# along it the gradient arrives in the first layer undiminished. The sum that grows on this path is the residual stream.
#
# $L$ blocks add $2L$ vectors. If these are independent and of equal size, the variance of the sum grows with $2L$. GPT-2
# therefore starts the $2L$ matrices that write into the stream smaller, by the factor $1/\sqrt{2L}$.
#
# **Guess first**: how much does that matter in a model of many layers?


# %%
def stream_norms(model, tokens_BT):
    """The mean norm of a token's vector before the first block and after each block."""
    norms = []
    with torch.no_grad():
        x_BTD = model.token_embedding(tokens_BT) + model.position_embedding(torch.arange(tokens_BT.shape[1]))
        norms.append(x_BTD.norm(dim=-1).mean().item())
        for block in model.blocks:
            x_BTD = block(x_BTD)
            norms.append(x_BTD.norm(dim=-1).mean().item())
    return norms


deep = tp.ModelConfig(n_layers=24, n_heads=4, d_model=128, context_length=64, vocab_size=512)
tokens_BT = torch.randint(0, 512, (4, 64))
gpt = tp.GPT(deep)
small_start = stream_norms(gpt, tokens_BT)
with torch.no_grad():
    for block in gpt.blocks:
        for writes in (block.attention.projection, block.mlp.contract):
            assert abs(writes.weight.std().item() - 0.02 / math.sqrt(2 * deep.n_layers)) < 2e-4
            writes.weight *= math.sqrt(2 * deep.n_layers)  # as large as all other matrices
plain_start = stream_norms(gpt, tokens_BT)

assert plain_start[-1] / plain_start[0] > 3 * small_start[-1] / small_start[0]
tp.figures.residual_norms({"all matrices\nequal": plain_start, "1/√(2L) for\nthe writers": small_start})

# %%
tp.say(
    f"With equal matrices the stream grows {plain_start[-1] / plain_start[0]:.1f} times over {deep.n_layers} blocks, so "
    f"the last blocks add little to a long vector. With the smaller start it grows "
    f"{small_start[-1] / small_start[0]:.2f} times."
)

# %% [markdown]
# ## Step 4: the whole model
#
# Attention comes from chapter 3. So this is all of it: token and position embeddings, $L$ blocks, a last layer norm, and
# the dot product with every token's embedding. The head has no matrix of its own. A token is predicted if the vector
# points toward its embedding.
#
# **Guess first**: how many lines does a GPT need?


# %%
def linear(x, layer):
    return x @ layer.weight.T + layer.bias


def attention_by_hand(x_BTD, layer):
    B, T, D = x_BTD.shape
    q, k, v = (y.view(B, T, layer.n_heads, -1).transpose(1, 2) for y in linear(x_BTD, layer.qkv).split(D, dim=2))
    out, _ = tp.attention(q, k, v, tp.causal_mask(T, T))
    return linear(out.transpose(1, 2).flatten(2), layer.projection)


def block_by_hand(x_BTD, block):
    normed = layer_norm_by_hand(x_BTD, block.attention_norm.weight, block.attention_norm.bias)
    x_BTD = x_BTD + attention_by_hand(normed, block.attention)
    normed = layer_norm_by_hand(x_BTD, block.mlp_norm.weight, block.mlp_norm.bias)
    return x_BTD + mlp_by_hand(normed, block.mlp)


def gpt_by_hand(tokens_BT, model):
    x_BTD = model.token_embedding.weight[tokens_BT] + model.position_embedding.weight[: tokens_BT.shape[1]]
    for block in model.blocks:
        x_BTD = block_by_hand(x_BTD, block)
    normed = layer_norm_by_hand(x_BTD, model.final_norm.weight, model.final_norm.bias)
    return normed @ model.token_embedding.weight.T


tokens_BT = torch.randint(0, config.vocab_size, (2, config.context_length))
assert torch.allclose(block_by_hand(x_BTD, model.blocks[0]), model.blocks[0](x_BTD), atol=1e-4)
assert torch.allclose(gpt_by_hand(tokens_BT, model), model(tokens_BT), atol=1e-4)
tp.source(Block.forward)

# %% [markdown]
# The same logits, from the same weights. There is nothing else in a GPT. GPT-2 is this function with more layers, wider
# vectors and a longer context.
#
# ## Step 5: where the parameters are
#
# **Guess first**: attention gave the transformer its name in the papers. What share of GPT-2's parameters does it have?

# %%
gpt2 = tp.PRESETS["gpt2-124m"]
D, L, V, T = gpt2.d_model, gpt2.n_layers, gpt2.vocab_size, gpt2.context_length
parameters = {
    "MLP": L * (D * 4 * D + 4 * D + 4 * D * D + D),
    "token embedding": V * D,
    "attention": L * (D * 3 * D + 3 * D + D * D + D),
    "positions": T * D,
    "layer norms": (2 * L + 1) * 2 * D,
}
assert sum(parameters.values()) == gpt2.parameter_count()
assert sum(parameter.numel() for parameter in model.parameters()) == config.parameter_count()

# a weight costs a multiplication and an addition forward, and twice as much backward: 6 operations a token
flops = {part: 6.0 * count for part, count in parameters.items()}
flops["scores and sums"] = 12.0 * L * D * T  # q·k and weights·v over the whole context, forward and backward
assert math.isclose(sum(flops.values()), gpt2.flops_per_token())
tp.figures.parameters_by_part(parameters, flops)

# %%
total = gpt2.parameter_count()
tp.say(
    f"GPT-2 small has {total:,} parameters. Attention has {parameters['attention'] / total:.0%} of them, the MLPs "
    f"{parameters['MLP'] / total:.0%}, and the table of tokens alone {parameters['token embedding'] / total:.0%}."
)

# %% [markdown]
# ## Step 6: take the parts out
#
# `tp.ablated` builds a model without one of its parts. Everything else is equal: the data, the order, the seed, the
# steps. Four models lack a part, one is whole.
#
# **Guess first**: order the four from "hardly missed" to "cannot do without". Write it down; the order surprises most
# people.

# %%
texts = tp.stories(chapter.pick(test=200, laptop=1500, gpu=10_000))
tokenizer = tp.train_tokenizer(texts[:200] if config.vocab_size < 1000 else texts, config.vocab_size)
train = tp.tokens(texts, tokenizer)
held_out = tp.tokens(tp.stories(60, seed=9), tokenizer)[: 64 * config.context_length + 1]


def train_without(*parts, seed=1):
    torch.manual_seed(seed)
    return tp.fit(
        tp.ablated(config, *parts),
        train,
        steps=chapter.pick(test=80, laptop=150, gpu=600),
        lr=chapter.pick(test=0.03, laptop=0.01, gpu=0.005),
        optimizer="muon",
        schedule="cosine",
        warmup_steps=20,
        batch_size=16,
        val=held_out,
        seed=seed,
    )


runs = {"whole": train_without()}
for name, part in {"positions": "positions", "norm": "norm", "MLP": "mlp", "residual": "residual"}.items():
    runs[f"no {name}"] = train_without(part)
losses = {name: run.last("val_loss") for name, run in runs.items()}

assert losses["no residual"] > losses["whole"] + 0.7
assert losses["no MLP"] > losses["whole"] + 0.2
assert losses["no norm"] > losses["whole"] + chapter.pick(test=0.1, laptop=0.1, gpu=0.0)
assert abs(losses["no positions"] - losses["whole"]) < 0.2
tp.figures.ablations(losses)

# %%
tp.Table(
    ["model", "validation loss", "a continuation"],
    [
        [name, losses[name], tp.write(run.model, tokenizer, "Once upon a time", max_tokens=20, temperature=0.6)]
        for name, run in runs.items()
    ],
)

# %%
often = train.bincount(minlength=config.vocab_size) + 1  # a model that only counts tokens
counting = -(often / often.sum()).log()[held_out[1:]].mean().item()
assert abs(losses["no residual"] - counting) < chapter.pick(test=0.15, laptop=0.15, gpu=0.5)
tp.say(
    f"Without residual connections the model ends at {losses['no residual']:.2f} nats. To know nothing but how often each "
    f"token occurs gives {counting:.2f} nats: that is all it has learned. Without position embeddings the loss differs from "
    f"the whole model's by {losses['no positions'] - losses['whole']:+.3f} nats."
)

# %% [markdown]
# The least famous part is the one that cannot be missed. And the position embeddings, which every drawing of a
# transformer shows, are hardly needed in a run as short as this. How can that be, if attention sees a *set*
# (step 5 of chapter 3)?
#
# Because of the mask. The first token sees one token, the second sees two, and so on: an average over a growing past
# changes with its length. **The causal mask itself tells a model where it is.** Position embeddings must first be
# learned, and they pay off in longer runs.
#
# ## Step 7: a loss can lie
#
# One part is left: the mask.
#
# **Guess first**: without it, does the validation loss get better or worse? And the texts?

# %%
runs["no mask"] = train_without("mask")
losses["no mask"] = runs["no mask"].last("val_loss")
assert losses["no mask"] < losses["whole"] - 0.05
tp.figures.ablations(losses, title="By its validation loss, the model without a mask is the best of all")

# %%
tp.Table(
    ["model", "validation loss", "a continuation"],
    [
        [name, losses[name], tp.write(runs[name].model, tokenizer, "Once upon a time", max_tokens=20, temperature=0.6)]
        for name in ("whole", "no mask")
    ],
)

# %% [markdown]
# The best loss of all, and it writes rubbish. The validation text was held out, nothing was memorised, and still the number
# lies: the model *sees* the token that it has to predict, one place to the right, and has begun to copy it. When it
# writes, that token is not there yet.
#
# An honest loss gives the model only what it has when it writes: the tokens so far, one more at a time. For a causal
# model that must give the same number, because a hidden future cannot matter.

# %%
rows = held_out[: 16 * config.context_length + 1].unfold(0, config.context_length + 1, config.context_length)


@torch.no_grad()
def loss_at_once(model):
    rows_ = rows.to(model.token_embedding.weight.device)
    return F.cross_entropy(model(rows_[:, :-1]).flatten(0, 1), rows_[:, 1:].flatten()).item()


@torch.no_grad()
def loss_one_by_one(model):
    rows_ = rows.to(model.token_embedding.weight.device)
    steps = range(1, config.context_length + 1)
    return sum(F.cross_entropy(model(rows_[:, :t])[:, -1], rows_[:, t]).item() for t in steps) / len(steps)


whole, unmasked = runs["whole"].model, runs["no mask"].model
honest = {"whole": loss_one_by_one(whole), "no mask": loss_one_by_one(unmasked)}
assert math.isclose(honest["whole"], loss_at_once(whole), abs_tol=1e-3)
assert honest["no mask"] > loss_at_once(unmasked) + 0.3
assert honest["no mask"] > honest["whole"]
tp.say(
    f"On these windows, the whole model has {loss_at_once(whole):.3f} nats at once and {honest['whole']:.3f} one by one: the "
    f"same. The model without the mask has {loss_at_once(unmasked):.3f} nats at once and {honest['no mask']:.3f} one by one."
)

# %% [markdown]
# **A loss measures what you let the model see.** Whenever a number looks too good, ask what the model could see of the
# answer. Then read what it writes.
#
# ## Step 8: draw the next token
#
# The model gives logits, and a text needs one token. Always taking the likeliest one makes dull loops; drawing from all
# of them lets a bad token slip in now and then. Three settings are in between:
#
# - **temperature** $\tau$ divides the logits: below $1$ the likely tokens become likelier, above $1$ the others do
# - **top-k** keeps the $k$ likeliest tokens
# - **top-p** keeps the likeliest tokens that together reach the probability $p$, the one that crosses it included
#
# **Guess first**: of these two, which one keeps *more* tokens when the model is unsure?

# %%
story = torch.tensor(tokenizer.encode(tp.stories(1, seed=9)[0])[: config.context_length])
with torch.no_grad():
    logits_TV = whole(story[None].to(whole.token_embedding.weight.device))[0].cpu()
doubt_T = torch.distributions.Categorical(logits=logits_TV).entropy()
place = int((doubt_T - 2).abs().argmin())  # where the model hesitates between a few tokens
logits_V = logits_TV[place]
print(tokenizer.decode(story[: place + 1].tolist()))


def softmax(logits):
    raised = (logits - logits.max()).exp()
    return raised / raised.sum()


def top_k(logits, k):
    return softmax(logits.masked_fill(logits < logits.sort(descending=True).values[k - 1], -torch.inf))


def top_p(logits, p):
    kept, likely = torch.zeros_like(logits), softmax(logits)
    for token in likely.argsort(descending=True):
        if kept.sum() >= p:
            break
        kept[token] = likely[token]
    return kept / kept.sum()


settings = {
    "all": (softmax(logits_V), Sampling()),
    "τ = 0.5": (softmax(logits_V / 0.5), Sampling(temperature=0.5)),
    "k = 4": (top_k(logits_V, 4), Sampling(top_k=4)),
    "p = 0.6": (top_p(logits_V, 0.6), Sampling(top_p=0.6)),
}
for by_hand, sampling in settings.values():
    assert torch.allclose(by_hand, probabilities(logits_V[None], sampling)[0], atol=1e-5)

best = logits_V.argsort(descending=True)[:8]
tp.figures.sampling_cut(
    [repr(tokenizer.decode([int(token)]))[1:-1] for token in best],
    {name: by_hand[best] for name, (by_hand, _) in settings.items()},
)

# %% [markdown]
# Top-k always keeps the same number. Top-p keeps few tokens when one of them is sure, and many when none is. Used
# together they act in the order of the list: temperature, top-k, then top-p on the probabilities that top-k has left,
# which sum to one again.
#
# To draw, lay the probabilities side by side on the line from $0$ to $1$, and see where a random number falls. That is
# all that `choose` does. The random number is an argument, so a text can be drawn again.

# %%
by_hand, sampling = settings["p = 0.6"]


def draw(shares, u):
    total = 0.0
    for token, share in enumerate(shares.double().tolist()):
        total += share
        if u < total:
            return token
    raise AssertionError("the shares do not sum to one")


numbers = torch.rand(2000, generator=torch.Generator().manual_seed(4)).mul(0.999).tolist()
drawn = choose(logits_V.expand(2000, -1), sampling, numbers)
assert drawn[:50] == [draw(by_hand, u) for u in numbers[:50]]
counts = torch.tensor(drawn).bincount(minlength=len(by_hand)) / 2000
assert (counts - by_hand).abs().max() < 0.04
assert counts[by_hand == 0].sum() == 0
tp.source(choose)

# %% [markdown]
# ## Step 9: remember the keys and values
#
# To write the next token, the model needs the keys and values of *all* tokens before it. They do not change: a token
# never sees what comes after it. Without a cache they are computed again for every new token.
#
# **Guess first**: by what factor does a cache help for a text of a hundred tokens? Is the factor the same for a longer
# one?

# %%
preset = chapter.pick(test=config, laptop=tp.PRESETS["nano"])
writer = tp.GPT(preset).to(chapter.device).eval()
start = torch.randint(0, preset.vocab_size, (1, 4), device=chapter.device)


@torch.inference_mode()
def write_without(tokens):
    text = start
    for _ in range(tokens):
        newest = writer(text)[:, -1:].argmax(dim=-1)  # reads the whole text again
        text = torch.cat([text, newest], dim=1)
    return text[0, 4:].tolist()


@torch.inference_mode()
def write_cached(tokens):
    cache = KVCache(preset, [4], 4 + tokens, torch.float32, torch.device(chapter.device))
    fed, text = start, []
    for _ in range(tokens):
        newest = writer(fed, cache)[:, -1:].argmax(dim=-1)  # reads only what is new
        text.append(newest.item())
        fed = newest
    return text


def seconds(function, *arguments):
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


lengths = chapter.pick(test=[4, 8, 16], laptop=[16, 64, 128, 224])
without, cached = [], []
for length in lengths:
    (library,) = generate(writer, [start[0].tolist()], Sampling(temperature=0, max_tokens=length))
    assert write_without(length) == write_cached(length) == library.ids
    without.append(min(seconds(write_without, length) for _ in range(chapter.pick(test=1, laptop=2))))
    cached.append(min(seconds(write_cached, length) for _ in range(chapter.pick(test=1, laptop=2))))
tp.figures.cache_speed(lengths, without, cached)

# %%
size = 2 * gpt2.n_layers * gpt2.d_model * gpt2.context_length * 2
tp.say(
    f"The same tokens, {without[-1] / cached[-1]:.1f} times as fast at {lengths[-1]} tokens and "
    f"{without[0] / cached[0]:.1f} times at {lengths[0]}: the longer the text, the more is saved. The price is memory: "
    f"GPT-2 small keeps {size / 2**20:.0f} MiB for each text of full length in bfloat16."
)

# %% [markdown]
# ## Step 10: a model that others can open
#
# A model is a folder: sizes in `config.json`, weights in `model.safetensors`, and the tokenizer. Ours has the layout of
# Hugging Face's GPT-2, and no pickle: opening a file of weights must not run code.
#
# **Guess first**: will another library, written by other people, compute the same logits?

# %%
folder = chapter.folder / "model"
save_model(whole, folder, tokenizer=tokenizer)
reopened = load(folder, "cpu", "float32")
tokens_BT = rows[:2, :-1]
with torch.no_grad():
    ours = whole.cpu()(tokens_BT)
    assert torch.equal(reopened.model(tokens_BT), ours)
tp.Table(["file", "bytes"], [[file.name, file.stat().st_size] for file in sorted(folder.iterdir())])

# %%
if importlib.util.find_spec("transformers"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other libraries' deprecations
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        theirs = transformers.AutoModelForCausalLM.from_pretrained(folder)
        with torch.no_grad():
            difference = (theirs(tokens_BT).logits - ours).abs().max().item()
    assert difference < 1e-3
    found = f"transformers opens the folder as {type(theirs).__name__}; the largest difference is {difference:.0e}."
else:
    found = "transformers is not installed here. With it, AutoModelForCausalLM.from_pretrained(folder) opens the model."
tp.say(found)

# %% [markdown]
# **Your model is not locked into the code that made it.**
#
# ## On AWS: checkpoints in S3
#
# A checkpoint is more than a model: it holds what the next step of the training depends on. A machine that was rented is
# gone an hour later, so the checkpoint must lie elsewhere: in S3. A run whose `--out` is `s3://BUCKET/runs/gpt` copies
# itself there beside the training, and continues from there on another machine.
#
# The bucket below is on this machine. It is our reading of S3's documentation, and proves nothing about AWS. After
# `tuppence aws init` and with `TUPPENCE_AWS=account` the same cells use your own bucket.
#
# **Guess first**: AdamW keeps two running averages of each weight. How many bytes has a checkpoint per parameter?

# %%
cloud = tp.cloud()
story_file = chapter.folder / "stories.jsonl"
story_file.parent.mkdir(parents=True, exist_ok=True)
story_file.write_text("".join(json.dumps({"text": story}) + "\n" for story in tp.stories(60)), encoding="utf-8")
prepare([story_file], tokenizer, chapter.folder / "data", val_fraction=0.1)

place = f"{cloud.url}/runs/gpt"
sizes = {"n_layers": 2, "n_heads": 2, "d_model": 32, "context_length": 32}
with remote_output(place, is_run=True) as there:  # a local folder, which is copied to the bucket while it changes
    tp.pretrain(
        chapter.folder / "data", there, steps=6, checkpoint_every=2, keep_checkpoints=2, optimizer="adamw", **sizes
    )

objects = {entry.name: entry.size for entry in open_store(place).list()}
steps = sorted({name.split("/")[1] for name in objects if name.startswith("checkpoints/")})
in_s3 = tp.open(stage_run(place))  # copied from S3, each file compared with its SHA-256
parameters = sum(weight.numel() for weight in in_s3.model.parameters())
newest = sum(size for name, size in objects.items() if name.startswith(f"checkpoints/{steps[-1]}/"))
assert newest > 3 * 4 * parameters  # weights and two averages, four bytes each, and a little more
tp.say(
    f"The bucket has {len(objects)} objects of this run, and the checkpoints {', '.join(steps)}. The newest has"
    f" {newest:,} bytes for {parameters:,} parameters: {newest / parameters:.1f} each, of which twelve are weights and"
    " averages."
)

# %% [markdown]
# Files go first, and their list with the SHA-256 of each goes last: a checkpoint without its list does not exist. Older
# ones are *pruned*, here and there.
#
# ### What nobody deletes
#
# The bucket of `tuppence aws init` keeps old versions of replaced and deleted objects for some days, against mistakes.
# **Guess first**: is a pruned checkpoint still on the bill?

# %%
bucket = render(StackSettings(cloud.account.region))["Resources"]["Bucket"]["Properties"]
assert bucket["VersioningConfiguration"]["Status"] == "Enabled"
rules = bucket["LifecycleConfiguration"]["Rules"]
days = next(
    rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in rules if "NoncurrentVersionExpiration" in rule
)
tp.Table(
    ["rule", "what it does"],
    [
        [rule["Id"], ", ".join(f"{name}: {rule[name]}" for name in rule if name not in ("Id", "Status"))]
        for rule in rules
    ],
)

# %% [markdown]
# It is, until its rule removes it. A *lifecycle rule* is a sentence that S3 carries out once a day: without one, every
# version of every checkpoint stays, and costs, for ever. **Guess first**: GPT-2 saves a checkpoint every half an hour of a
# day. Three are kept. What does a month cost with the rule, and what without?

# %%
gpt2 = tp.PRESETS["gpt2-124m"].parameter_count()
one = 12 * gpt2 / 1e9
usd = prices()["S3", "storage", "standard", REGION].usd
saved, kept = 48, 3
with_rule = (kept + (saved - kept) * days / 30) * one * usd
without = saved * one * usd
assert with_rule < without
cloud.close()
tp.say(
    f"A checkpoint has {one:.2f} GB. In the month of the training, {kept} that stay and {saved - kept} that go after"
    f" {days} days cost \\${with_rule:.2f}; without the rule it is \\${without:.2f}. In each later month: \\${kept * one * usd:.2f}"
    f" against \\${without:.2f}, until somebody looks."
)

# %% [markdown]
# ## Exercises
#
# Write the function, and run the cell. The check names the property that fails, and the smallest input that shows it. It
# never shows a solution. A function without a body counts as not written.
#
# <!-- figures: 10 minutes -->
#
# **4.1 Layer norm** · difficulty ●○○ · importance ●●● · 10 minutes


# %%
def layer_norm(x, g, b, eps):
    """Normalises the last dimension of x, then scales by g and shifts by b."""


tp.check(layer_norm)

# %% [markdown]
# <!-- figures: 30 minutes -->
#
# **4.2 A block** · difficulty ●●● · importance ●●● · 30 minutes. `params` is a dict with the weights of step 4 by name,
# such as `params["attention.qkv.weight"]` and `params["mlp.expand.bias"]`, and with the number of heads,
# `params["n_heads"]`.


# %%
def block(x, params):
    """A transformer block, (B, T, D) → (B, T, D), with the tensors of `params`: "attention.qkv.weight" and so on."""


tp.check(block)

# %% [markdown]
# <!-- figures: 30 minutes -->
#
# **4.3 Sampling** · difficulty ●●● · importance ●●○ · 30 minutes


# %%
def sample(logits, temperature, k, p, u):
    """Draws one token: temperature (0 takes the likeliest), top-k, then top-p, with the random number u in [0, 1)."""


tp.check(sample)

# %% [markdown]
# More to try, without a check:
#
# - Train the whole model and the one without positions four times as long. Who wins now?
# - Leave out two parts at once: `tp.ablated(config, "norm", "residual")`. Do the losses add up?
# - In step 3, train both starts for fifty steps. Which one can take the larger learning rate?
#
# ## What you can say now
#
# - A GPT is embeddings, blocks of attention and MLP around a residual stream, and a dot product with the embeddings.
# - Layer norm keeps directions; the residual stream keeps the gradient; the MLP holds most of the blocks' parameters.
# - The residual connection is indispensable; a causal model finds its positions even without embeddings for them.
# - A loss is only as honest as the inputs. Without the mask it is the best of all and means nothing.
# - Temperature reshapes, top-k and top-p cut; the rest is one random number.
# - The cache trades memory for time, and the gain grows with the length.

# %%
chapter.receipt(*runs.values())

# %% [markdown]
# **Papers**
#
# - Radford et al. 2019, "Language Models are Unsupervised Multitask Learners": GPT-2
# - Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450
# - Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415
# - He et al. 2015, "Deep Residual Learning", arXiv:1512.03385
# - Haviv et al. 2022, arXiv:2203.16634: causal models without position embeddings learn positions
# - Holtzman et al. 2019, "The Curious Case of Neural Text Degeneration", arXiv:1904.09751: top-p
#
# **Next**: chapter 5 trains such a model for real: loss, optimizer, schedule, and what one more dollar buys.
