"""A map of 250 transformers.   (SPEC 7)"""
