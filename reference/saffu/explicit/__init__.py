"""Closed forms: parameters of softmax layers computed from counts.   (SPEC 1, 5)"""
