"""Roadmap study: a map of 250 explicitly solved transformers.   (SPEC 7)"""
