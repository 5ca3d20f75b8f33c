"""PPO as in RLHF (chapter 8): a policy writes answers, a reward model scores them, and the policy learns from that.

Stiennon et al. 2020 (arXiv:2009.01325) and Ouyang et al. 2022 (arXiv:2203.02155), with Schulman et al. 2017
(arXiv:1707.06347). Read in this order:

    equations   advantages, clipped losses, the controller of β: pure functions
    policy      the model with its value function, and its reference
    answers     writing and scoring
    rollout     what was written, what it earned, and what is learned from it
    objective   all of it as an objective of the one loop
    quality     what shows degenerate text
    prompts, config, held_out, run   the verb around it

Not covered: a value network of its own, an entropy bonus, several reward models.
"""

from tuppence.tasks.ppo.config import PPORecipe
from tuppence.tasks.ppo.run import run_ppo

__all__ = ["PPORecipe", "run_ppo"]
