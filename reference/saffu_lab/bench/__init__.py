"""Benchmarks: time, memory and ratios; programs `python -m saffu_lab.bench.NAME`."""
