"""`saffu demo`: every way to a model of one text, in a minute."""
