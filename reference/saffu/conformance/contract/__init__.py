"""What a golden case says: arrays, inputs, expected outputs, and the files that hold them.

Nothing here may change without a new version of the suite.
"""
