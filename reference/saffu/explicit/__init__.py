"""Explicit solutions of softmax layers, and the fits of their few free numbers.   (SPEC 1, 5)"""
