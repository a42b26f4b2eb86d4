"""Objects with fit and predict: configuration, vocabulary and parameters kept together."""
