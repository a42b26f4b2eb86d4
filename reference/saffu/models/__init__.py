"""Language models as objects: fit, train, perplexity, generate; and the baselines beside them."""
