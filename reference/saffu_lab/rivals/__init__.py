"""External baselines: PyTorch models, KenLM's n-grams, and the tasks that fit them."""
