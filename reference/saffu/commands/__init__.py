"""The commands of the program `saffu`, one module each, and what they share."""
