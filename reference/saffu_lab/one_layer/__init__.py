"""One softmax layer by itself: label counts, its convex loss, the way to the optimum.   (SPEC 1)

Used by the studies of one layer and of priming and by the race on MNIST; the reference has no need
of them.
"""
