"""Is (K−1)/K the right exponent of the priming number?   (SPEC 7)"""
