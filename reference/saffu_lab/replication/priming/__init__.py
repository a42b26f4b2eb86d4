"""Priming: is (K−1)/K the best exponent, and K the best number in it?   (SPEC 7)"""
