"""One softmax layer by itself: label counts, its convex loss, the way to the optimum.   (SPEC 1)

Used by the study of one layer and by the race on MNIST; the reference has no need of them.
"""
