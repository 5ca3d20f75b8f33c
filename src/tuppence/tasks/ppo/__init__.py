"""PPO as in RLHF (chapter 8): a policy generates answers, a reward model scores them, and the policy is updated.

Stiennon et al. 2020 (arXiv:2009.01325) and Ouyang et al. 2022 (arXiv:2203.02155), with Schulman et al. 2017
(arXiv:1707.06347). Read in this order:

    equations   advantages, clipped losses, the controller of β: pure functions
    policy      the model with its value function
    answers     generation and scoring of answers
    rollout     a set of answers with log-probabilities, rewards and advantages
    objective   PPO as an objective of the training loop
    quality     measures of degenerate text
    prompts, config, held_out, run   the verb `tuppence align ppo`

Not covered: a separate value network, an entropy bonus, several reward models.
"""

from tuppence.tasks.ppo.config import PPORecipe
from tuppence.tasks.ppo.run import run_ppo

__all__ = ["PPORecipe", "run_ppo"]
