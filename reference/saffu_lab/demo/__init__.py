"""Demo: the ways to a language model compared on one text in a minute (`saffu demo`)."""
