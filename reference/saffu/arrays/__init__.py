"""Array libraries: which one an array belongs to, what is converted or refused, what they lack."""
