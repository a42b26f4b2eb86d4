"""Which mistake a port probably makes: its outputs beside those of known mistakes."""
