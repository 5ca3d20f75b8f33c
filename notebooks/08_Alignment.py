# %% [markdown]
# # 8 · What happens when you get what you asked for?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/OWNER/tuppence/blob/main/notebooks/08_Alignment.ipynb)
#
# Pretraining imitates text, and finetuning imitates answers. Alignment does something else: it asks for *better*, and
# "better" has to be written down as a number. This chapter trains that number from comparisons, then optimises it, until
# it breaks, and shows what holds it together.
#
# **You will learn**
#
# - how comparisons become a reward (Bradley and Terry, 1952), and what else the reward learns on the way
# - what a policy does that maximises a reward and nothing else, and how a KL penalty holds it
# - why DPO needs neither reward model nor sampling, in six lines
# - generalised advantages and PPO, on the loop of all other chapters
#
# **You need**: chapters 5 and 7. **AWS services**: the bill of all of them, computed from prices with a date.

# %%
import importlib.metadata, importlib.util, pathlib, subprocess, sys

if importlib.util.find_spec("tuppence") is None:  # on Colab and in Studio; the torch that is there stays
    torch = importlib.util.find_spec("torch") and f"torch=={importlib.metadata.version('torch')}"
    pathlib.Path("keep.txt").write_text(torch or "")
    wanted = "tuppence[plot,rehearse] @ git+https://github.com/OWNER/tuppence"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "keep.txt", wanted], check=True)

import tuppence as tp

chapter = tp.chapter(8)
chapter

# %%
import copy
import json
import math
import shutil

import numpy as np
import torch
import torch.nn.functional as F

from tuppence.cost.estimate import LEAD_SECONDS, SPOT_SEEN
from tuppence.cost.rates import REGION, price_of, prices
from tuppence.evaluation.tasks.reward import encode_pairs, pair_rewards
from tuppence.data.records.preferences import read_preferences
from tuppence.model.generate import generate
from tuppence.model.sampling import Sampling

shutil.rmtree(chapter.folder, ignore_errors=True)
base = tp.course.base()
tokenizer = base.tokenizer
base

# %% [markdown]
# ## Step 1: a pair
#
# People find it hard to say how good an answer is, and easy to say which of two is better. So the data of alignment are
# pairs: one prompt, a chosen and a rejected answer.

# %%
pairs = tp.preferences(chapter.pick(test=60, laptop=3000))
tp.Table(["prompt", "chosen", "rejected"], [[p.prompt, p.chosen, p.rejected] for p in pairs[:3]])

# %% [markdown]
# ## Step 2: Bradley and Terry
#
# Let each answer have a reward $r$, and let the probability that the first is preferred be
# $\sigma(r_\text{chosen} - r_\text{rejected})$. The loss is the negative logarithm of that for what people did prefer.
#
# **Guess first**: both rewards are equal. What is the loss, and what is it when both are a thousand larger?

# %%


def pair_loss(chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """-log σ(chosen - rejected), as log(1 + e^-x), by hand."""
    return torch.log1p(torch.exp(-(chosen - rejected)))


chosen, rejected = torch.tensor([2.0, 0.5, 1.0]), torch.tensor([1.0, 0.5, 3.0])
rewards_B2 = torch.stack([chosen, rejected], dim=1)
assert torch.allclose(pair_loss(chosen, rejected), -F.logsigmoid(chosen - rejected))
assert torch.allclose(pair_loss(chosen, rejected), tp.dpo_losses(rewards_B2, torch.zeros(3, 2), beta=1.0))
assert math.isclose(pair_loss(chosen, rejected)[1].item(), math.log(2), rel_tol=1e-6)
assert torch.allclose(pair_loss(chosen + 1000, rejected + 1000), pair_loss(chosen, rejected))
pair_loss(chosen, rejected)

# %% [markdown]
# Only differences count. A reward has no zero and no unit: "four" means nothing, "one more than the other" does.
#
# ## Step 3: a reward model, and what else it learned
#
# A reward model is a GPT with one number on top, read at the last token. It starts from our base model.

# %%
judge = tp.reward(
    base, pairs, chapter.folder / "reward", steps=chapter.pick(test=4, laptop=200), full=True, lr=1e-3, eval_every=0
)
test_pairs = [vars(p) for p in tp.preferences(chapter.pick(test=20, laptop=300), seed=7)]
pair_file = chapter.folder / "test-pairs.jsonl"
pair_file.write_text("".join(json.dumps(p) + "\n" for p in test_pairs), encoding="utf-8")
rows = read_preferences(pair_file).rows
rewards_N2 = pair_rewards(judge.loaded, encode_pairs(judge.loaded, rows))
right = (rewards_N2[:, 0] > rewards_N2[:, 1]).mean()
lengths_N2 = np.array([[len(tokenizer.encode(p["chosen"])), len(tokenizer.encode(p["rejected"]))] for p in test_pairs])
if chapter.scale != "test":
    assert right > 0.6
tp.figures.reward_against_length(
    lengths_N2.T.flatten(), rewards_N2.T.flatten(), np.arange(2 * len(rewards_N2)) < len(rewards_N2)
)

# %%
shorter_wins = (lengths_N2[:, 0] < lengths_N2[:, 1]).mean()
correlation = np.corrcoef(lengths_N2.flatten(), rewards_N2.flatten())[0, 1]
assert abs(shorter_wins - 0.5) < chapter.pick(test=0.5, laptop=0.15)
tp.say(
    f"It puts {right:.0%} of the held-out pairs in the right order. The chosen answer is the shorter one in"
    f" {shorter_wins:.0%} of them, so length alone decides next to nothing. And yet reward and length have a correlation"
    f" of {correlation:.2f}: the model has an opinion on length that the pairs hardly support."
)

# %% [markdown]
# ## Step 4: get what you asked for
#
# Now we optimise a reward. It is as simple as a reward can be: warm words. Each word of a short list that occurs in a
# continuation is worth one point, five at most. Who would not like warmer stories?
#
# REINFORCE (Williams, 1992) does it in a few lines: write texts, raise the probability of those that scored above the
# average, lower it for the others.
#
# **Guess first**: what will the stories look like after sixty updates?

# %%
warm_words = [" kind", " warm", " happy", " glad", " love", " loved", " friend", " friends", " smiled", " gentle"]
warm_ids = [tokenizer.encode(word)[0] for word in warm_words if len(tokenizer.encode(word)) == 1]
warm_ids = warm_ids or tokenizer.encode(" the")[:1]  # a tiny vocabulary may have none of them
is_warm_V = torch.zeros(tokenizer.vocab_size, dtype=torch.bool)
is_warm_V[warm_ids] = True
opening = tokenizer.encode("One morning")


def log_probabilities(model: tp.GPT, rows_BT: torch.Tensor) -> torch.Tensor:
    """The log-probability of each written token, (B, T)."""
    logits_BTV = model(rows_BT[:, :-1])[..., : tokenizer.vocab_size].float()
    chosen_BT1 = logits_BTV.log_softmax(dim=-1).gather(2, rows_BT[:, 1:, None])
    return chosen_BT1[:, len(opening) - 1 :, 0]


def chase(beta: float, updates: int, seed: int = 0) -> tuple[list[float], list[float], str]:
    """Maximises warm words minus β·KL by REINFORCE. Returns mean reward and KL of each update, and a last text."""
    policy, rewards, divergences = copy.deepcopy(base.model), [], []
    policy.requires_grad_(True)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-3, weight_decay=0.0)
    for update in range(updates):
        sampling = [Sampling(1.0, max_tokens=24, seed=(seed + 1) * 100_000 + 100 * update + row) for row in range(32)]
        texts = generate(policy, [opening] * 32, sampling, vocab_size=tokenizer.vocab_size)
        rows_BT = torch.tensor([opening + text.ids for text in texts])
        log_policy_BT = log_probabilities(policy, rows_BT)
        with torch.no_grad():
            log_ratio_BT = log_policy_BT - log_probabilities(base.model, rows_BT)
        reward_B = is_warm_V[rows_BT[:, len(opening) :]].sum(dim=1).clamp(max=5).float()
        score_B = reward_B - beta * log_ratio_BT.sum(dim=1)
        advantage_B = (score_B - score_B.mean()) / (score_B.std() + 1e-6)
        loss = -(advantage_B[:, None] * log_policy_BT).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        rewards.append(reward_B.mean().item())
        divergences.append(log_ratio_BT.sum(dim=1).mean().item())
    return rewards, divergences, tokenizer.decode(texts[0].ids)


updates = chapter.pick(test=2, laptop=60)
rewards, divergences, text = chase(beta=0.0, updates=updates)
tp.say(f"Reward: {rewards[0]:.2f} → {rewards[-1]:.2f} of 5. And this is what it writes: “One morning{text}”")

# %%
if chapter.scale != "test":
    assert rewards[-1] > 4 > 1 > rewards[0]
    assert divergences[-1] > 30
tp.figures.loss_curves(
    {"warm words": (range(1, updates + 1), rewards)},
    x_label="update",
    unit="mean reward, of 5",
    title="The reward is nearly perfect",
)

# %% [markdown]
# We got what we asked for. Nothing in the reward said that a story should remain one, so nothing kept it. This is
# **reward hacking**; a learned reward has the same holes, only harder to see (Gao et al., 2022).
#
# ## Step 5: a leash
#
# The base model knows what language is. So pay for the reward, and let the distance from the base cost something:
#
# $$\max_\pi \; \mathbb{E}_{y \sim \pi}\,[\,r(y)\,] - \beta\, \mathrm{KL}(\pi \,\|\, \pi_\text{ref})$$
#
# The KL divergence is the mean of $\log \pi(y) - \log \pi_\text{ref}(y)$ over the policy's own texts: by how many nats the
# base is more surprised by them than the policy. **Guess first**: is there a $\beta$ with a high reward and good language?

# %%
betas = chapter.pick(test=[0.0, 0.3], laptop=[0.0, 0.03, 0.1, 0.3])
ends = [(rewards, divergences, text)] + [chase(beta, updates) for beta in betas[1:]]
reached = [float(np.mean(r[-5:])) for r, _, _ in ends]
distance = [max(float(np.mean(d[-5:])), 1e-3) for _, d, _ in ends]
if chapter.scale != "test":
    assert distance[0] > distance[1] > distance[-1]
    assert distance[-1] < 12
tp.figures.reward_frontier(distance, reached, betas, [words[:60] for _, _, words in ends])

# %% [markdown]
# There is no best point, only a frontier: each step towards the reward is paid in nats. Whoever aligns a model chooses a
# place on it.
#
# ## Step 6: DPO, in six lines
#
# 1. For a fixed reward, the best policy of step 5 is known: $\pi^*(y) \propto \pi_\text{ref}(y)\, e^{r(y)/\beta}$.
# 2. Take logarithms and solve for the reward: $r(y) = \beta \log \frac{\pi^*(y)}{\pi_\text{ref}(y)} + \text{const}$.
# 3. The constant belongs to the prompt, so it is the same for both answers of a pair.
# 4. In Bradley–Terry only differences count: the constant vanishes.
# 5. So every policy *is* a reward model, with the reward $\beta \log \frac{\pi(y)}{\pi_\text{ref}(y)}$.
# 6. Train it as one: $-\log \sigma\big(\beta \log \tfrac{\pi(y_c)}{\pi_\text{ref}(y_c)} - \beta \log \tfrac{\pi(y_r)}{\pi_\text{ref}(y_r)}\big)$.
#
# No reward model, no sampling, no hacking of a number that somebody else computed. **Guess first**: what is the loss before
# the first step, when policy and reference are the same?

# %%
policy_B2 = torch.tensor([[-12.0, -20.0], [-30.0, -25.0]], requires_grad=True)  # sums over the tokens of an answer
reference_B2 = torch.tensor([[-13.0, -19.0], [-30.0, -27.0]])
margins_B = (policy_B2 - reference_B2)[:, 0] - (policy_B2 - reference_B2)[:, 1]
by_hand = pair_loss(0.1 * margins_B, torch.zeros(2))
library = tp.dpo_losses(policy_B2, reference_B2, beta=0.1)
assert torch.allclose(by_hand, library)
assert torch.allclose(tp.dpo_losses(reference_B2, reference_B2, beta=0.1), torch.full((2,), math.log(2)))
library.sum().backward()
assert torch.allclose(policy_B2.grad[:, 0], -policy_B2.grad[:, 1])  # what the chosen answer gains, the rejected loses
tp.source(tp.dpo_losses)

# %% [markdown]
# The log-probabilities are *sums* over tokens. With means, an answer of two hundred tokens would count no more than one
# of two, and the derivation above would no longer hold.
#
# ## Step 7: the run

# %%
aligned = tp.dpo(
    base, pairs, chapter.folder / "dpo", steps=chapter.pick(test=4, laptop=80), sample_every=0, sample_tokens=0
)
first_loss = aligned.series("loss")[1][0]
assert abs(first_loss - math.log(2)) < chapter.pick(test=0.2, laptop=0.05)
steps, accuracies = aligned.series("val_rewards/accuracies")
tp.figures.plot_preference_accuracy(steps, accuracies)

# %%
if chapter.scale != "test":
    assert accuracies[-1] > 0.55
tp.say(
    f"The first loss is {first_loss:.3f}, and ln 2 = {math.log(2):.3f}. At the end the policy prefers the chosen answer, relative"
    f" to the base, in {accuracies[-1]:.0%} of the held-out pairs."
)

# %% [markdown]
# ## Step 8: advantages
#
# PPO optimises a reward model by sampling, as in step 4, with two repairs. The first: a *value* $V_t$ predicts the return
# before each token, and a token is credited with what came better than predicted. With
# $\delta_t = r_t + \gamma V_{t+1} - V_t$, the generalised advantage is $A_t = \delta_t + \gamma\lambda A_{t+1}$.
#
# **Guess first**: which $\lambda$ gives the plain return minus the value?

# %%
rewards_T, values_T = [0.0, 0.0, 1.0], [0.2, 0.5, 0.6]


def advantages_by_hand(gae_lambda: float) -> list[float]:
    """A_t of an answer of three tokens, from the last to the first."""
    found, advantage, next_value = [], 0.0, 0.0
    for reward, value in zip(reversed(rewards_T), reversed(values_T), strict=True):
        advantage = reward + next_value - value + gae_lambda * advantage
        next_value = value
        found.append(advantage)
    return found[::-1]


def advantages(gae_lambda: float) -> torch.Tensor:
    """The library's, for the same answer."""
    inside = torch.ones(1, 3, dtype=torch.bool)
    return tp.equations.generalised_advantages(
        torch.tensor([rewards_T]), torch.tensor([values_T]), inside, gamma=1.0, gae_lambda=gae_lambda
    )[0]


for gae_lambda in (0.0, 0.95, 1.0):
    assert torch.allclose(torch.tensor(advantages_by_hand(gae_lambda)), advantages(gae_lambda))
assert torch.allclose(advantages(1.0), 1.0 - torch.tensor(values_T))  # the return minus the value
tp.figures.gae_ladder(rewards_T, values_T, advantages(0.95), tokens=["a", " good", " end"])

# %% [markdown]
# The second repair: the same texts serve several updates, so the policy must not run away from the one that wrote them.
# The ratio $\rho$ of the two probabilities is clipped. **Guess first**: a token was good, and its probability has already
# doubled. What is the gradient that would raise it further?

# %%
for ratio, advantage, expected in ((2.0, 1.0, 0.0), (2.0, -1.0, 2.0), (0.5, 1.0, -0.5), (0.5, -1.0, 0.0)):
    log_new = torch.tensor([math.log(ratio)], requires_grad=True)
    tp.equations.clipped_policy_loss(log_new, torch.zeros(1), torch.tensor([advantage]), clip=0.2).sum().backward()
    assert math.isclose(log_new.grad.item(), expected, abs_tol=1e-6)
tp.source(tp.equations.clipped_policy_loss)

# %% [markdown]
# None: the clip takes it away. Raising a bad token's probability still has its full price: the clip is for one side only.
#
# ## Step 9: PPO, on the same loop

# %%
polished = tp.ppo(
    base, judge, pairs, chapter.folder / "ppo",
    steps=chapter.pick(test=2, laptop=24), rollout_prompts=chapter.pick(test=16, laptop=64),
    max_new_tokens=chapter.pick(test=8, laptop=24), batch_size=chapter.pick(test=8, laptop=32),
    eval_every=0, eval_prompts=chapter.pick(test=8, laptop=32), log_every=1, sample_tokens=0,
)  # fmt: skip
polished

# %% [markdown]
# ## Step 10: the model card
#
# A model that is given away needs a card: what it is, from what, how it was measured, what it cost, what it is bad at.

# %%
total = sum((tp.open(found.parent).receipt for found in sorted(chapter.folder.parent.rglob("run.yaml"))), start=0)
card = f"""**A story teller of {base.config["model"]["d_model"]} dimensions.** Pretrained on generated English stories
({base.receipt.tokens:,} tokens), aligned by DPO on {len(pairs):,} generated pairs.

- Held-out pairs in the right order, relative to the base: {accuracies[-1]:.0%}
- Reward model: {right:.0%} of held-out pairs; its reward and the length of an answer have a correlation of {correlation:.2f}
- Not for: facts, advice, any language but simple English
- All runs of the course on this machine: {total}"""
(chapter.folder / "dpo" / "model-card.md").write_text(card, encoding="utf-8")
tp.say(card.replace("\n- ", "  \n• "))

# %% [markdown]
# ## On AWS: the whole bill against $100
#
# The model card has the receipt of this machine. What would the course have cost on AWS, if each run had been a training
# job of its own? Such a job is billed for its *lead* too: image, data and start. **Guess first**: what is larger, the
# bill for the lead or the bill for the training?
#
# The prices are AWS's, of the day that each has. That a GPU takes as long as this machine is an assumption, and a high one.
# Nothing here was rented, so nothing here proves what AWS would bill.

# %%
gpu, notebook = price_of("ml.g4dn.xlarge"), price_of("ml.t3.medium", "notebook")
month = prices()["S3", "storage", "standard", REGION].usd
reading, gigabytes = 20, 5  # hours with an open notebook; all runs with their checkpoints

lead = total.attempts * LEAD_SECONDS / 3600 * gpu.usd
training = total.seconds / 3600 * gpu.usd
bill = {
    f"{reading} hours of reading, on a notebook of {notebook.item}": reading * notebook.usd,
    f"{total.attempts} starts of jobs on {gpu.item}: the lead": lead,
    f"{total.seconds / 3600:.1f} hours of jobs on {gpu.item}: the training": training,
    f"{gigabytes} GB in S3 for a month": gigabytes * month,
}
course = sum(bill.values())
assert math.isclose(lead + training, (total.seconds + total.attempts * LEAD_SECONDS) / 3600 * gpu.usd)
assert 0 < course < 100
tp.Table(
    ["what", "US dollars"], [*([what, f"{usd:.2f}"] for what, usd in bill.items()), ["the course", f"{course:.2f}"]]
)

# %%
saved = [share * (lead + training) for share in SPOT_SEEN]
tp.say(
    f"The lead is {lead / (lead + training):.0%} of what the jobs cost: short jobs belong on this machine, or several into"
    f" one. On spot machines, AWS was seen to bill {SPOT_SEEN[0]:.0%} to {SPOT_SEEN[1]:.0%} fewer seconds, here \\${saved[0]:.2f}"
    f" to \\${saved[1]:.2f} less. A cap should not count on it."
)

# %% [markdown]
# ### What the rest buys
#
# **Guess first**: is the rest enough for the smallest GPT-2, or for the next one?

# %%
rest = 100 - course
best = tp.plan(budget=rest).best
assert best is not None
assert best.dollars + course <= 100
tp.say(
    f"\\${rest:.2f} are left. `tp.plan` spends \\${best.dollars:.2f} of them on {best.machine.name}: {best.size.name} with"
    f" {best.tokens / 1e9:.1f} billion tokens"
    + (f", and expects {best.loss:.2f} nats." if best.loss is not None else ".")
    + f" Course and model together: \\${course + best.dollars:.2f} of \\$100."
)

# %% [markdown]
# The bill that ruins a project is none of these lines: it is a machine that nobody ended. Jobs end by themselves, and
# `tuppence aws sweep` lists everything else that still costs money, by the day.

# %% [markdown]
# ## What we can now say
#
# - A reward is a difference. It learns everything that goes along with being preferred, length for example.
# - A policy that maximises a number finds what the number forgot. A KL penalty trades reward for distance.
# - DPO is the same problem, solved on paper first. Its loss starts at the logarithm of two.
# - Advantages say which token deserves the credit; the clip says how far one batch may carry.
#
# **What this chapter took:**

# %%
chapter.receipt(judge, aligned, polished)

# %% [markdown]
# ## Exercises
#
# Write the function in a cell of your own, then let `tp.check` try it.
#
# | exercise | difficulty | importance | minutes |
# |---|---|---|---|
# | 8.1 `bradley_terry(chosen, rejected)` | ●○○ | ●●● | 5 |
# | 8.2 `dpo_loss(policy, reference, beta)` | ●●○ | ●●● | 15 |
# | 8.3 `gae(rewards, values, gamma, lam)` | ●●○ | ●●○ | 20 |
# | 8.4 `ppo_clip(log_ratio, advantage, epsilon)` | ●●○ | ●●○ | 15 |

# %%
tp.check(8)

# %% [markdown]
# **Papers**: Bradley and Terry, *Rank analysis of incomplete block designs* (1952) · Williams, *Simple statistical
# gradient-following algorithms* (1992) · Schulman et al., [*Generalised advantage estimation*](https://arxiv.org/abs/1506.02438)
# (2015) and [*PPO*](https://arxiv.org/abs/1707.06347) (2017) · Stiennon et al.,
# [*Learning to summarize from human feedback*](https://arxiv.org/abs/2009.01325) (2020) · Gao et al.,
# [*Scaling laws for reward model overoptimization*](https://arxiv.org/abs/2210.10760) (2022) · Rafailov et al.,
# [*Direct preference optimization*](https://arxiv.org/abs/2305.18290) (2023).
#
# **Next**: your own data. Everything in these eight chapters is one command line: `tuppence --help`.
