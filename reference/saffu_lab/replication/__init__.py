"""Replication studies: the papers' claims, measured (`saffu replicate`).   (SPEC 7)

One folder per study.  Its `tasks` module lists what has to be measured; its `chapter` module turns
the measured lines into text, tables, claims with verdicts, and pictures.  The report is made from
the lines alone, so that it can be made again at any time.
"""
