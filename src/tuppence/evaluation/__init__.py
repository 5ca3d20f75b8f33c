"""Evaluation: how good a model is, in numbers that can be compared with other people's.

`evaluate` is the entry point: runs and names of tasks in, metrics by task out. A benchmark is the file of its name in
`tasks`. `scoring` computes what a model says of texts, `rows` reads files and keeps results row by row, `statistics`
has intervals and comparisons, `lm_eval` runs the tasks of EleutherAI's harness, and `contamination` tells whether a
model was trained on what it is asked.
"""
