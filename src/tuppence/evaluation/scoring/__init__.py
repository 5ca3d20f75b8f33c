"""What a model makes of texts: likelihoods, perplexity, answers, class probabilities. No benchmark in here."""
