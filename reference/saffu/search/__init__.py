"""Explicit solutions whose smoothing and tempers are chosen on held-out text.   (SPEC 1, 5)"""
