"""Runs a model on texts: likelihoods, perplexity, answers, class probabilities. Independent of the benchmarks."""
