"""Evaluates models on benchmarks, with metrics that can be compared with published ones.

`evaluate` is the entry point: it takes runs and names of tasks, and returns metrics by task. Each file in `tasks` is a
benchmark. `scoring` computes likelihoods, perplexity, answers and class probabilities; `rows` reads files and logs the
result of each row; `statistics` computes metrics, intervals and comparisons; `lm_eval` runs the tasks of EleutherAI's
harness; `contamination` counts the rows that a model was trained on.
"""
