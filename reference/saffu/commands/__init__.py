"""The commands of the program `saffu`, one module each."""
