"""Warm start: a whole transformer from counts, all in memory; the plain version.   (SPEC 5)"""
