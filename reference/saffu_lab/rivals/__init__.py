"""What explicit models are compared with: n-grams (KenLM) and PyTorch models."""
