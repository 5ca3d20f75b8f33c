"""The evaluation room: how good a model is, in numbers that can be compared with other people's.

`streams` turns text and token shards into one stream of tokens, `windows` cuts
it, `perplexity` scores it, and `evaluate` is the door: a run and names of tasks in, the numbers by task out.
"""
