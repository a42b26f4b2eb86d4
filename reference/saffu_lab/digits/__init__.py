"""Digit classification: explicit and trained softmax layers on images (`saffu digits`)."""
