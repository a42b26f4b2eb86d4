"""What the papers claim, measured: each module is a program, `python -m saffu_lab.bench.NAME`."""
