"""Benchmarks: time, memory and ratios, each a program `python -m saffu_lab.bench.NAME`."""
