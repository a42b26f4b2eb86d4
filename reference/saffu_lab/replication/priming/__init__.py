"""Priming study: whether the mean norm of the inputs is the best priming number K.   (SPEC 7)"""
