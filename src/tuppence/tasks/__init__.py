"""One module for each training objective, on the loop of `training`: pretrain, classify, instruct, reward, dpo, ppo."""
