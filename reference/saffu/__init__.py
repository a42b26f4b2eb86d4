"""Softmax layers with explicit solutions."""
