"""The laboratory: what the papers claim and what it costs, measured with `saffu`.

Nothing in `saffu` imports from here.
"""
