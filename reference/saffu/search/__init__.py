"""Choices on held-out text: smoothing and tempers of an explicit solution.   (SPEC 1, 5)"""
