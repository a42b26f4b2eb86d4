"""Image study: explicit solutions of one and two softmax layers on images of digits.   (SPEC 7)"""
