# %% [markdown]
# # 3 · Attention: how does one token fetch something from another?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/03_Attention.ipynb)
#
# A language model reads a row of tokens and predicts the next one. Everything it knows about the past must reach the
# last token somehow. Attention is the part that carries it there. Nothing else in a GPT moves information from one
# token to another.
#
# **You will learn**
#
# - to compute attention by hand: scores, scale, mask, softmax, weighted sum
# - why $\sqrt K$ is there, and why the mask comes before the softmax
# - what heads are, and why `view` needs `transpose`
# - what attention costs when the text gets longer
# - what two layers learn that one layer does not, and how they do it
#
# **You need**: matrix products, and what a softmax is. **AWS services**: SageMaker notebooks, their price and their end, computed.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(3)
chapter

# %%
import math
import time

import torch

from tuppence.aws.validation import validate
from tuppence.core.errors import InputError
from tuppence.cost.rates import REGION, price_of, prices
from tuppence.model.attention import CausalSelfAttention, fused_attention

# %% [markdown]
# The names of tensors carry their shape. `x_TD` has $T$ tokens (time) of width $D$. $B$ is the batch, $H$ the heads,
# $K$ the width of one head, and $S$ counts the tokens that are looked at (the source).
#
# ## Step 1: the average of the past
#
# The simplest way to use the past: every token becomes the average of itself and all tokens before it.
#
# **Guess first**: can this be done for all tokens at once, with a single matrix product?

# %%
T, D = 6, 4
x_TD = torch.randn(T, D)

averages = torch.stack([x_TD[: t + 1].mean(dim=0) for t in range(T)])  # by hand: one token after the other

allowed_TT = tp.causal_mask(T, T)  # True where row t may look at column s
weights_TT = allowed_TT / allowed_TT.sum(dim=1, keepdim=True)
assert torch.allclose(weights_TT @ x_TD, averages, atol=1e-6)
weights_TT

# %% [markdown]
# Yes. Row $t$ of the matrix says how much token $t$ takes from each other token. The rows sum to one, and the future
# has the weight zero. Here is the library's mask:

# %%
tp.source(tp.causal_mask)

# %% [markdown]
# The same weights come out of a softmax. Give every allowed token the score $0$ and every forbidden one $-\infty$:
# $e^0 = 1$ and $e^{-\infty} = 0$, so the softmax divides the allowed ones by their number.

# %%
scores_TT = torch.zeros(T, T).masked_fill(~allowed_TT, -torch.inf)
assert torch.allclose(torch.softmax(scores_TT, dim=1), weights_TT)
tp.figures.attention_map(weights_TT, title="The average of the past: every allowed token weighs the same")

# %% [markdown]
# All of attention is in this picture, except one thing: the scores are all equal. A token cannot yet choose. **The rest
# of the chapter replaces these zeros by numbers that depend on the tokens.**
#
# ## Step 2: a dot product says who fits
#
# A Python dictionary finds the value whose key *equals* the query. Attention is a dictionary for vectors: it compares
# the query with every key, and returns a mixture of the values, mostly those whose keys *fit*. Two vectors fit if their
# dot product is large: $q \cdot k = \sum_i q_i k_i$.
#
# **Guess first**: three keys point in three directions, and the query is four times the second key. Which value comes
# back, and how purely?

# %%
keys = torch.eye(3)
values = torch.tensor([[10.0], [20.0], [90.0]])
query = 4 * keys[1]

scores = torch.tensor([sum(q * k for q, k in zip(query, key, strict=True)) for key in keys])  # by hand
assert torch.equal(scores, keys @ query)
weights = torch.softmax(scores, dim=0)
found = weights @ values
tp.say(
    f"The scores are {scores.tolist()}, the weights {[round(w, 3) for w in weights.tolist()]}, and the result is "
    f"{found.item():.1f}: almost the second value, with a trace of the others."
)

# %% [markdown]
# A soft dictionary has a great advantage over a hard one: it has a gradient. If a little more of another value would
# have lowered the loss, training moves the query toward that key.
#
# A token plays all three roles, so it makes three vectors, each with a matrix of its own:
# the **query** $q = W_q x$ (what do I look for?), the **key** $k = W_k x$ (what am I found by?) and the **value**
# $v = W_v x$ (what do I give?).

# %%
K = 3
w_q, w_k, w_v = torch.randn(3, K, D) / math.sqrt(D)
q_TK, k_TK, v_TK = x_TD @ w_q.T, x_TD @ w_k.T, x_TD @ w_v.T

by_hand = torch.zeros(T, T)
for t in range(T):
    for s in range(T):
        by_hand[t, s] = sum(q_TK[t, i] * k_TK[s, i] for i in range(K))
assert torch.allclose(by_hand, q_TK @ k_TK.T, atol=1e-5)

# %% [markdown]
# One matrix product gives the scores of every token with every token.
#
# ## Step 3: why the scores are divided by $\sqrt K$
#
# Let the numbers in $q$ and $k$ be independent, with mean $0$ and variance $1$. Each product $q_i k_i$ then has mean
# $0$ and variance $1$ too, and a sum of $K$ of them has variance $K$. Wider heads give larger scores, although nothing
# fits any better.
#
# **Guess first**: with sixteen keys, how much weight does the best one get on average if a head is very wide?

# %%
widths = [2, 8, 32, 128, 512]
largest: dict[bool, list[float]] = {False: [], True: []}
slopes: dict[bool, torch.Tensor] = {}
for width in widths:
    q, k = torch.randn(2000, 1, width), torch.randn(2000, 16, width)
    raw = (q @ k.transpose(1, 2))[:, 0]  # 2,000 queries with 16 keys each
    assert 0.9 < raw.var().item() / width < 1.1
    assert 0.9 < (raw / math.sqrt(width)).var().item() < 1.1
    for scaled in (False, True):
        factor = 1 / math.sqrt(width) if scaled else 1
        weights = torch.softmax(factor * raw, dim=1)
        largest[scaled].append(weights.max(dim=1).values.mean().item())
        # how much a weight moves with its product q·k: the softmax's derivative, times the factor (chain rule)
        slopes[scaled] = (factor * weights * (1 - weights)).mean(dim=1)  # of each query; the last width stays

assert largest[False][-1] > 0.9
assert largest[True][-1] < 0.35
assert slopes[False].median() < slopes[True].median() / 10  # for most queries the gradient is gone
assert slopes[False].std() > 10 * slopes[True].std()  # and for a few it is large
tp.figures.saturation(widths, largest[False], largest[True])

# %%
tp.say(
    f"At width {widths[-1]} the best key takes {largest[False][-1]:.0%} of the weight without the scale, and "
    f"{largest[True][-1]:.0%} with it. For half of the queries, the derivative of a weight by its product q·k is below "
    f"{slopes[False].median():.5f} without the scale, and below {slopes[True].median():.5f} with it: "
    f"{slopes[True].median() / slopes[False].median():.0f} times as much. The mean does not show that: "
    f"{slopes[False].mean():.5f} without the scale, {slopes[True].mean():.5f} with it."
)

# %% [markdown]
# Without the scale, a fresh model has already decided whom to look at, before it has learned anything. For most queries
# the gradient that could change its mind is almost gone. A few queries stand right between two keys; they have a large
# gradient, and make up the mean. With the scale, the gradient is spread over all queries.
# **Dividing by $\sqrt K$ keeps every head undecided at the start.**
#
# ## Step 4: the mask comes before the softmax
#
# While it trains, the model sees the whole text, also the tokens that it must predict. The mask hides them.
#
# **Guess first**: instead of setting scores to $-\infty$, could we set the finished weights of the future to zero?


# %%
def mask_first(scores_TT, allowed_TT):
    return torch.softmax(scores_TT.masked_fill(~allowed_TT, -torch.inf), dim=1)


def mask_last(scores_TT, allowed_TT):
    return torch.softmax(scores_TT, dim=1) * allowed_TT


scores_TT = q_TK @ k_TK.T / math.sqrt(K)
changed_TT = scores_TT.clone()
changed_TT[:, -1] += 3  # another last token: its key, so every score with it

right, wrong = mask_first(scores_TT, allowed_TT), mask_last(scores_TT, allowed_TT)
assert torch.allclose(right.sum(dim=1), torch.ones(T))
assert (wrong.sum(dim=1)[:-1] < 1).all()

leak_right = (mask_first(changed_TT, allowed_TT) - right)[:-1].abs().max().item()
leak_wrong = (mask_last(changed_TT, allowed_TT) - wrong)[:-1].abs().max().item()
assert leak_right == 0
assert leak_wrong > 0.01
tp.say(
    f"Masked at the end, a token keeps as little as {wrong.sum(dim=1).min():.0%} of its weight. Worse: another last token "
    f"changes the weights of *earlier* tokens by up to {leak_wrong:.2f}. Masked first, it changes them by {leak_right:.0f}."
)

# %% [markdown]
# The softmax divides by a sum over *all* scores. If the future is in that sum, the future is in every weight, and the
# model learns to read it there. Dividing the masked weights by their own sum would repair that, except where the future
# has all the weight: there it divides zero by zero. **Hide a token before the softmax.**

# %%
tp.figures.attention_steps(scores_TT, allowed_TT)

# %% [markdown]
# ## Step 5: attention in one line of mathematics
#
# $$\operatorname{attention}(q, k, v) = \operatorname{softmax}\!\left(\frac{q k^\top}{\sqrt K} + m\right) v,
# \qquad m_{ts} = \begin{cases} 0 & s \le t \\ -\infty & s > t \end{cases}$$
#
# Here there are as many keys as queries, $S = T$. With more keys, the queries are the last of them, and the condition is
# $s \le t + S - T$. By hand, without a single matrix product:


# %%
def attention_by_hand(q_TK, k_TK, v_TK):
    out = torch.zeros(len(q_TK), v_TK.shape[1])
    for t in range(len(q_TK)):
        scores = [(q_TK[t] * k_TK[s]).sum() / math.sqrt(len(q_TK[t])) for s in range(t + 1)]  # only s ≤ t exist
        exponentials = [score.exp() for score in scores]
        for s in range(t + 1):
            out[t] += exponentials[s] / sum(exponentials) * v_TK[s]
    return out


out_TK, weights_TT = tp.attention(q_TK, k_TK, v_TK, allowed_TT)
assert torch.allclose(out_TK, attention_by_hand(q_TK, k_TK, v_TK), atol=1e-5)
assert torch.allclose(weights_TT, right, atol=1e-6)
tp.source(tp.attention)

# %% [markdown]
# The library's attention is the formula, and it computes what the loops compute. (It divides the queries instead of the
# scores. That is the same, and a long text has more scores than numbers in its queries.)
#
# **Guess first**: without the mask, what changes in the output of a token when the keys, with their values, trade places?

# %%
everything = torch.ones(T, T, dtype=torch.bool)
shuffle = torch.randperm(T)
plain, _ = tp.attention(q_TK, k_TK, v_TK, everything)
shuffled, _ = tp.attention(q_TK, k_TK[shuffle], v_TK[shuffle], everything)
assert torch.allclose(plain, shuffled, atol=1e-6)

# %% [markdown]
# Nothing. Attention sees a *set* of keys and values. It knows what a token is, not where it stands. A GPT adds a position
# embedding to every token; chapter 4 measures what that is worth when the mask already tells earlier from later.
#
# ## Step 6: heads
#
# One softmax can look for one thing at a time: a weighted average of a verb and its subject is neither. So the width is
# split into $H$ heads of $K = D / H$ numbers. Each head has queries, keys, values and a softmax of its own. At the end
# the outputs stand side by side again.
#
# **Guess first**: `q.view(H, T, K)` has the right shape. Why is it wrong?

# %%
H, K = 2, 4
D = H * K
q_TD, k_TD, v_TD = torch.randn(3, T, D)

one_by_one = []
for h in range(H):
    columns = slice(h * K, (h + 1) * K)
    one_by_one.append(tp.attention(q_TD[:, columns], k_TD[:, columns], v_TD[:, columns], allowed_TT)[0])
by_hand = torch.cat(one_by_one, dim=1)


def split(x_TD):
    return x_TD.view(T, H, K).transpose(0, 1)  # (H, T, K)


out_HTK, _ = tp.attention(split(q_TD), split(k_TD), split(v_TD), allowed_TT)
assert torch.allclose(out_HTK.transpose(0, 1).flatten(1), by_hand, atol=1e-6)

numbers = torch.arange(T * D).view(T, D)
assert not torch.equal(numbers.view(H, T, K), split(numbers))
print("first head, view and transpose:", split(numbers)[0, :2].tolist())
print("first head, view alone:        ", numbers.view(H, T, K)[0, :2].tolist())

# %% [markdown]
# `view` only reinterprets the numbers in the order in which they lie in memory: token by token. With `view(H, T, K)`
# the first head gets *all* columns of the *first* tokens, so a token attends to pieces of itself. `view(T, H, K)` keeps
# the tokens apart; `transpose` then brings the heads to the front. **The shape is right in both cases; only an assert
# finds the difference.**
#
# ## Step 7: the layer of the GPT
#
# `CausalSelfAttention` adds what we have used so far: one matrix for $q$, $k$ and $v$ together, and a second one that
# mixes the heads' outputs.

# %%
config = tp.ModelConfig(n_layers=1, n_heads=H, d_model=D, context_length=16, vocab_size=1)
layer = CausalSelfAttention(config)
x_BTD = torch.randn(3, T, D)

q_BTD, k_BTD, v_BTD = (x_BTD @ layer.qkv.weight.T + layer.qkv.bias).split(D, dim=2)
q_BHTK, k_BHTK, v_BHTK = (y.view(3, T, H, K).transpose(1, 2) for y in (q_BTD, k_BTD, v_BTD))
out_BHTK, _ = tp.attention(q_BHTK, k_BHTK, v_BHTK, allowed_TT)
by_hand = out_BHTK.transpose(1, 2).flatten(2) @ layer.projection.weight.T + layer.projection.bias
assert torch.allclose(layer(x_BTD), by_hand, atol=1e-5)

fused_BHTK = fused_attention(q_BHTK, k_BHTK, v_BHTK, None, is_causal=True)
assert torch.allclose(fused_BHTK, out_BHTK, atol=1e-5)
tp.source(CausalSelfAttention.forward)

# %% [markdown]
# The layer calls `fused_attention`, torch's own kernel. It computes the same numbers block by block and never stores
# the $T \times T$ weights. Everything you pretrain later runs through these lines.
#
# ## Step 8: what a longer text costs
#
# Every token is compared with every other. So a head has $T^2$ weights, and each of the two products, $q k^\top$ and
# weights times $v$, takes $T^2 K$ multiplications and as many additions.
#
# **Guess first**: twice the text, how much more time? And does the fused kernel change the answer?

# %%
lengths = chapter.pick(test=[64, 128, 256], laptop=[128, 256, 512, 1024, 2048], gpu=[512, 1024, 2048, 4096, 8192])
heads, width = 4, 32


def milliseconds(function, *arguments):
    best = math.inf
    for _ in range(chapter.pick(test=1, laptop=3)):
        if chapter.device.startswith("cuda"):
            torch.cuda.synchronize()
        began = time.perf_counter()
        function(*arguments)
        if chapter.device.startswith("cuda"):
            torch.cuda.synchronize()
        best = min(best, 1000 * (time.perf_counter() - began))
    return best


explicit, fused = [], []
for length in lengths:
    q, k, v = torch.randn(3, 1, heads, length, width, device=chapter.device)
    mask = tp.causal_mask(length, length, q.device)
    by_formula, _ = tp.attention(q, k, v, mask)
    assert torch.allclose(by_formula, fused_attention(q, k, v, None, 0.0, True), atol=1e-4)
    explicit.append(milliseconds(tp.attention, q, k, v, mask))
    fused.append(milliseconds(fused_attention, q, k, v, None, 0.0, True))

memory = [heads * length * length * 4 for length in lengths]  # bytes of the weights in float32
tp.figures.attention_cost(lengths, {"the formula": explicit, "the kernel": fused})

# %%
tp.say(
    f"At {lengths[-1]:,} tokens the formula takes {explicit[-1]:.1f} ms and {memory[-1] / 2**20:.0f} MiB for the "
    f"weights of one layer of one text; the fused kernel takes {fused[-1]:.1f} ms and stores none of them. From "
    f"{lengths[-2]:,} to {lengths[-1]:,} tokens, the operations and the weights grow {(lengths[-1] / lengths[-2]) ** 2:.0f} "
    f"times, the formula's time {explicit[-1] / explicit[-2]:.1f} times and the kernel's {fused[-1] / fused[-2]:.1f} times."
)

# %% [markdown]
# The number of operations is quadratic in both; the kernel only saves the memory traffic. The time follows the operations
# only roughly: writing and reading the weights comes on top where they outgrow the processor's caches, and in a short
# text the fixed costs of each call weigh more. **Twice the context is four times the operations of attention.** That is
# why context is expensive.
#
# ## Step 9: what one layer does not learn
#
# Now an experiment. A row begins with a random string of distinct letters. Then come pieces of that string, each from a
# random place. For the string `q f m x b k t a`:
#
#     q f m x b k t a | m x b k | f m x b | x b k t | …
#
# Every row has another string, so nothing can be memorised. But within a piece the next letter can be *known*: find the
# earlier place where the present letter stood, and say what came after it. Only these letters count. A target of $-100$
# means "no target": the first string, and the first letter of each piece, are unpredictable.


# %%
letters, string, piece, pieces = chapter.pick(test=(16, 8, 4, 5), laptop=(32, 16, 4, 8))


def quoting_rows(count, seed):
    """Rows of a random string and pieces of it, (count, T), and their targets."""
    generator = torch.Generator().manual_seed(seed)
    strings = torch.rand(count, letters, generator=generator).argsort(dim=1)[:, :string]  # no letter twice
    starts = torch.randint(0, string - piece + 1, (count, pieces, 1), generator=generator)
    quoted = (starts + torch.arange(piece)).flatten(1)
    rows = torch.cat([strings, strings.gather(1, quoted)], dim=1)
    places = torch.arange(rows.shape[1])
    surprising = (places < string) | ((places - string) % piece == 0)
    return rows[:, :-1], rows.masked_fill(surprising, -100)[:, 1:]


row, targets = quoting_rows(1, seed=3)
length = row.shape[1]
alphabet = "abcdefghijklmnopqrstuvwxyzαβγδεζ"
known = [t for t in range(length) if targets[0, t] >= 0]
for t in known:  # by hand: look for the present letter in the first string, and take the next one
    earlier = row[0, :string].tolist().index(row[0, t].item())
    assert row[0, earlier + 1] == targets[0, t]
print("letters:", " ".join(alphabet[letter] for letter in row[0]))
print("targets:", " ".join("·" if letter < 0 else alphabet[letter] for letter in targets[0]))

# %% [markdown]
# Two lines of Python solve the task. Can gradient descent find them? `tp.fit` trains a model in memory, through the same
# loop as `tuppence pretrain`. It takes an objective: where the batches come from, and what the loss is.


# %%
class Quoting(tp.Objective):
    def __init__(self, seed):
        self.seed = seed

    def batches(self, step, rank, world_size):
        return [quoting_rows(chapter.pick(test=16, laptop=32), seed=100_000 * self.seed + step)]

    def loss(self, model, rows, targets):
        return model.loss(rows, targets), {}

    def evaluation(self):
        return iter(())  # every row of training is new, so the training loss is a validation loss

    def samples(self, model):
        return []


def train_quoting(layers, seed=0):
    torch.manual_seed(seed)
    heads = chapter.pick(test=1, laptop=2)
    config = tp.ModelConfig(n_layers=layers, n_heads=heads, d_model=64, context_length=length, vocab_size=letters)
    steps = chapter.pick(test=200, laptop=250)
    return tp.fit(tp.GPT(config), Quoting(seed), steps, lr=0.01, optimizer="muon", schedule="wsd", warmup_steps=20)


def end(run):
    """The mean loss of the last steps."""
    return sum(run.series("loss")[1][-20:]) / 20


# %% [markdown]
# Two models learn it. One has a single layer, the other has two, and all else is equal. (The optimizer is Muon, which
# needs fewer steps than AdamW; chapter 5 explains both.)
#
# **Guess first**: which loss does each of them reach? Draw the two curves before you look. A model that only knows which
# letters are in the string has to guess among all of them, and pays the logarithm of their number.

# %%
one, two = train_quoting(layers=1), train_quoting(layers=2)
assert end(one) > 1.5
assert end(two) < 0.3
tp.figures.loss_curves(
    {"one layer": one.series("loss"), "two layers": two.series("loss")},
    title="One layer learns which letters there are; two layers suddenly learn to quote",
)

# %%
tp.say(
    f"To guess among the letters of the string costs ln {string} = {math.log(string):.2f} nats. One layer ends at "
    f"{end(one):.2f} nats. Two layers end at {end(two):.2f} nats: the right letter gets a probability of about "
    f"{math.exp(-end(two)):.0%}."
)

# %% [markdown]
# One layer does not even come near. Two layers look just as helpless for a while. Then the curve falls off a cliff.
#
# Why? To predict what follows the letter `q`, a token must find the place *after* the earlier `q`. In the first layer,
# a score is made of two tokens only: the one that looks, and the one at the place it looks at, each with its position.
# The key of the right place is made of its letter, `f`, and of its position. Nothing in it says "I come after `q`", so
# no query of the first layer can find it, however long it is trained. What is left to a single layer is to put the
# whole string into one vector and to let the MLP search it. Theory says that this takes a far larger model (Sanford et
# al. 2024).
#
# Two layers can. A head of the first layer carries every letter one place to the right. In the second layer, the key of
# that place then says "I come after `q`", the query says "I am `q`", and the value says "`f`". Each half is useless
# without the other. That is why nothing happens for so long, and then everything at once.
#
# This is an explanation. Is it what these models do?
#
# ## Step 10: look inside
#
# `tp.attention_maps` returns the weights of every layer and head on a row of tokens.
#
# **Guess first**: if the explanation is right, which stripes will the maps show?

# %%
maps = tp.attention_maps(two.model, row)[:, 0].cpu()  # (layers, heads, T, T)
assert torch.allclose(maps.sum(dim=-1), torch.ones(maps.shape[:-1]), atol=1e-5)
tp.figures.attention_maps(maps, title="Two layers that learned to quote: rows are tokens, columns what they look at")

# %% [markdown]
# Look at the upper maps: in the first string, every letter looks one place back. Look at the lower ones: every piece draws
# a short stripe, on the place in the string that it quotes, one step ahead.
#
# Now measure it on many rows. In the first layer: how much weight goes one place back? In the second: how much goes to
# places that come *after an earlier copy of the present letter*?

# %%
rows, targets = quoting_rows(100, seed=99)
maps = tp.attention_maps(two.model, rows).cpu()  # (layers, rows, heads, T, T)

one_back = maps[0].diagonal(-1, dim1=-2, dim2=-1)[..., : string - 1].mean(dim=(0, 2))  # each head, in the first string
before = torch.cat([torch.full((100, 1), -1), rows[:, :-1]], dim=1)  # the letter before each place
after_a_copy = (rows[:, :, None] == before[:, None, :]).tril()  # (rows, T, T)
found = (maps[1] * after_a_copy[:, None]).sum(dim=-1)  # (rows, heads, T)
quoted = torch.stack([found[:, head][targets >= 0].mean() for head in range(found.shape[1])])
assert one_back.max() > 0.3
assert quoted.max() > 0.7
tp.say(
    f"First layer: a head puts {one_back.max():.0%} of its weight one place back. Second layer: a head puts "
    f"{quoted.max():.0%} of its weight on letters that follow an earlier copy of the present one."
)

# %% [markdown]
# That is what the heads *look at*. It does not prove that the answer comes from there. To prove a cause, change one thing
# and see what happens.
#
# First change the text: put another letter *before* the place that the token should find, and leave the place as it is.
# **Guess first**: in which of the two models does the place lose its weight?

# %%
now = known[-1]  # a place that quotes, in each of the rows
place = (rows[:, :string] == rows[:, now, None]).int().argmax(dim=1) + 1  # where its answer stands
absent = torch.stack([torch.isin(torch.arange(letters), row, invert=True).int().argmax() for row in rows])
changed = rows.scatter(1, place[:, None] - 1, absent[:, None])  # another letter before the answer


def preference(model, rows):
    """(rows, heads): how much more weight the last layer gives the answer than the place after it, as a logarithm."""
    weights = tp.attention_maps(model, rows)[-1].cpu()[:, :, now].clamp(min=1e-30)
    index = place[:, None, None].expand(-1, weights.shape[1], -1)
    return (weights.gather(2, index) / weights.gather(2, index + 1)).log()[..., 0]


assert torch.allclose(preference(one.model, rows), preference(one.model, changed), atol=1e-2)
lost = (preference(two.model, rows) - preference(two.model, changed)).mean(dim=0).max().item()
assert lost > 1
tp.say(
    f"In the single layer nothing changes, up to rounding. In the second of two layers, a head prefers the answer to the "
    f"place after it {math.exp(lost):.3g} times less than before (the geometric mean of {len(rows)} rows)."
)

# %% [markdown]
# The argument of step 9 holds for the trained model: the single layer cannot tell the two texts apart at this place.
#
# Now change the model: forbid one way of looking, and measure the loss on the same rows. As a control, forbid another
# way that is as frequent.


# %%
class Forbidding(torch.nn.Module):
    """The same attention, with a mask that hides more."""

    def __init__(self, attention, forbidden):
        super().__init__()
        self.attention = attention
        itself = torch.eye(forbidden.shape[-1], dtype=torch.bool)
        self.allowed = tp.causal_mask(*forbidden.shape[-2:]) & (~forbidden | itself)

    def forward(self, x_BTD, cache=None, layer=0):
        out_BHTK, _ = tp.attention(*self.attention.heads(x_BTD), self.allowed.to(x_BTD.device))
        return self.attention.projection(out_BHTK.transpose(1, 2).flatten(2))


def loss_forbidding(layer, forbidden):
    block = two.model.blocks[layer]
    attention, device = block.attention, block.attention_norm.weight.device
    block.attention = Forbidding(attention, forbidden)
    with torch.no_grad():
        total = two.model.loss(rows.to(device), targets.to(device)).item()
    block.attention = attention
    return total / (targets >= 0).sum().item()


nothing = torch.zeros(length, length, dtype=torch.bool)
distance = torch.arange(length)[:, None] - torch.arange(length)
a_copy = rows[:, :, None] == rows[:, None, :]
ways = {
    "nothing is forbidden": (0, nothing),
    "layer 1 may not look one place back": (0, distance == 1),
    "layer 1 may not look two places back": (0, distance == 2),
    "layer 2 may not look after an earlier copy": (1, after_a_copy[:, None]),
    "layer 2 may not look at an earlier copy": (1, a_copy[:, None]),
}
losses = {way: loss_forbidding(*how) for way, how in ways.items()}
whole, back, control, after, at = losses.values()
assert abs(whole - end(two)) < 0.1
assert min(back, after) > whole + 1
assert max(control, at) < whole + 0.5
tp.Table(["", "loss"], [[way, loss] for way, loss in losses.items()])

# %%
tp.say(
    f"Without the look one place back, the loss rises from {whole:.2f} to {back:.2f}; without the look after an earlier copy, "
    f"to {after:.2f}. The controls end at {control:.2f} and {at:.2f}. To guess among the letters costs {math.log(string):.2f}."
)

# %% [markdown]
# Both looks are causes: without either of them the model quotes no more, and without the others it goes on. It runs our
# two lines of Python. Nobody wrote them into it. The pair of heads is called an *induction head*, and language models of
# every size have some: this is how they repeat a name that they have read only once.
#
# ## On AWS: a notebook that nobody closes
#
# This chapter runs unchanged in SageMaker Studio. There, a notebook is an *app*: a rented machine. It is billed from its
# start to its end, whether a cell runs or not, and closing the browser does not end it. The rehearsal of later chapters
# has no apps, so this section computes, from prices with a day. Nothing is rented, and nothing here proves what AWS bills.
#
# **Guess first**: you close the browser on Friday at five and come back on Monday at nine. Which machine has cost as much
# as a lunch?

# %%
weekend, month, volume_gb = 64, 730, 5  # hours, hours, and the size of a disk
volume = prices()["SageMaker", "volume", "training and notebook volume", REGION]
rows = []
for item in ("ml.t3.medium", "ml.m5.large", "ml.g4dn.xlarge", "ml.g5.xlarge"):
    usd = price_of(item, "notebook").usd
    assert math.isclose(sum(usd for hour in range(weekend)), usd * weekend)  # an hour more is one price more, and so on
    rows.append([item, f"${usd:g}", f"${weekend * usd:.2f}", f"${month * usd:.2f}", f"{100 / usd / 24:.0f}"])
tp.Table(["app on", "an hour", "a weekend", "a month", "days until $100 are gone"], rows)

# %%
tp.say(
    f"A stopped app leaves its disk: {volume_gb} GB at \\${volume.usd} a GB and month are \\${volume_gb * volume.usd:.2f} a month,"
    f" until the space is deleted. The prices are of {volume.date} and before; `tp.prices()` says where each is from."
)

# %% [markdown]
# ### How it ends
#
# Three things end an app: you, a rule for idle apps, or the deletion of its domain. The rule is a setting of the domain.
# `validate` asks the description of the API that AWS ships with its own client, and sends nothing. **Guess first**: may an
# app be ended after half an hour without work?


# %%
def idle_rule(minutes: int) -> dict:
    """The request that ends idle apps of a domain after some minutes."""
    idle = {"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": minutes}
    lab = {"AppLifecycleManagement": {"IdleSettings": idle}}
    return {"DomainId": "d-0123456789ab", "DefaultUserSettings": {"JupyterLabAppSettings": lab}}


validate("sagemaker", "UpdateDomain", idle_rule(60))
try:
    validate("sagemaker", "UpdateDomain", idle_rule(30))
except InputError as error:
    refused = error.message.rpartition(".")[2]
app = {"DomainId": "d-0123456789ab", "SpaceName": "course", "AppType": "JupyterLab", "AppName": "default"}
validate("sagemaker", "DeleteApp", app)  # what you send: boto3.client("sagemaker").delete_app(**app)
dearest = price_of("ml.g5.xlarge", "notebook").usd
tp.say(
    f"No: `{refused}`. So an app that is forgotten costs an hour more, \\${dearest:g} on the dearest of these machines, if"
    f" the rule is set, and \\${dearest * weekend:.2f} over a weekend if it is not. `tuppence aws sweep` lists the apps that"
    " run."
)

# %% [markdown]
# A small app to read and write, and jobs for the GPU: a job ends by itself. Chapter 5 launches one.
#
# ## Exercises
#
# Write the function, and run the cell. The check names the property that fails, and the smallest input that shows it.
# It never shows a solution. A function without a body counts as not written.
#
# <!-- figures: 10 minutes -->
#
# **3.1 The mask** · difficulty ●○○ · importance ●●● · 10 minutes. The $T$ queries are the *last* of $S$ tokens:
# a model that writes keeps the keys of the tokens before, and only the new ones ask. (The steps above show most of these
# answers. Close them, and write yours from memory.)


# %%
def causal_mask(T, S):
    """Booleans (T, S): True where a query may look at a key."""


tp.check(causal_mask)

# %% [markdown]
# <!-- figures: 20 minutes -->
#
# **3.2 Attention** · difficulty ●●○ · importance ●●● · 20 minutes. Scores, scale, mask, softmax, values; for any number
# of leading dimensions. Large scores must not overflow: subtracting the largest one changes nothing in a softmax.


# %%
def attention(q, k, v, mask):
    """q (B, H, T, K), k and v (B, H, S, K), mask (T, S). Returns the output, (B, H, T, K)."""


tp.check(attention)

# %% [markdown]
# <!-- figures: 25 minutes -->
#
# **3.3 Several heads** · difficulty ●●● · importance ●●● · 25 minutes. The layer of step 7, without biases; you
# may call your own `causal_mask` and `attention`.


# %%
def multi_head(x, Wqkv, Wo, H):
    """x (B, T, D), Wqkv (3D, D), Wo (D, D), as torch's Linear stores them. Returns (B, T, D)."""


tp.check(multi_head)

# %% [markdown]
# More to try, without a check:
#
# - Let every piece be the whole string. Now the next letter is always the same distance back. Can one layer do it?
# - Give the one-layer model four times the width. What does that buy?
# - Replace `softmax` by a division by the sum of squares. What breaks first?
#
# ## What you can say now
#
# - Attention is a weighted average; queries and keys make the weights, values are what is averaged.
# - $\sqrt K$ keeps the softmax undecided at the start, so that gradients flow.
# - The mask acts before the softmax. After it, the future leaks through the sum.
# - Attention alone does not know the order of the tokens.
# - Heads are separate softmaxes on separate columns.
# - Twice the context is four times the operations of attention.
# - One layer compares pairs of tokens. Two layers compose: the second finds what the first has prepared.
# - A map shows what a head looks at. That it matters is shown by forbidding it.

# %%
chapter.receipt(one, two)

# %% [markdown]
# **Papers**
#
# - Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762: scaled dot-product attention and heads
# - Bahdanau, Cho and Bengio 2014, arXiv:1409.0473: attention before the transformer
# - Dao et al. 2022, "FlashAttention", arXiv:2205.14135: the fused kernel
# - Olsson et al. 2022, "In-context Learning and Induction Heads", arXiv:2209.11895: the heads of step 10
# - Sanford, Hsu and Telgarsky 2024, "One-layer transformers fail to solve the induction heads task", arXiv:2408.14332
#
# **Next**: chapter 4 puts attention into a block, blocks into a GPT, and takes the parts out again, one by one.
