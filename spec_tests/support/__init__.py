"""What the spec tests share: strategies, adjoint tests, and the oracle that knows nothing of us."""
