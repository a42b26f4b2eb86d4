"""What the papers claim, measured: each module is a program, `python -m saffu.experiments.NAME`."""
