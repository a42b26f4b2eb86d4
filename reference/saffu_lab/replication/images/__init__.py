"""Explicit solutions of stacks of softmax layers on images.   (SPEC 7)"""
