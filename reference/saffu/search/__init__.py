"""Smoothing and tempers, each chosen by the loss on held-out text.   (SPEC 1, 5)"""
