"""Networks of softmax layers over plain features, such as the pixels of images.   (SPEC 1, 5)

    h₀ = x,    h_l = φ(h_{l−1} U_l + b_l),    ŷ = the last h                              [P2, T]

The explicit solution of a stack of layers, without attention and without text.  `layers` has the
forward and backward pass, `labels` the targets of hidden layers, `explicit` and `stack` the
solution from counts, `training` backpropagation, `model` the estimator.
"""

from saffu.network.classifier import SoftmaxNetwork
from saffu.network.explicit import ExplicitSettings
from saffu.network.labels import Examples, HiddenLayer
from saffu.network.layers import SoftmaxLayer
from saffu.network.stack import ExplicitRound
from saffu.network.training import Epoch, TrainingSettings

__all__ = [
    "Epoch",
    "Examples",
    "ExplicitRound",
    "ExplicitSettings",
    "HiddenLayer",
    "SoftmaxLayer",
    "SoftmaxNetwork",
    "TrainingSettings",
]
