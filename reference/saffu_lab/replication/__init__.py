"""What the papers claim, measured: `saffu replicate`.   (SPEC 7)

One module for each study: `tasks` says what has to be done, `chapter` what came out of it.  Nothing
but the lines of the results decides what a chapter says and shows, so that the report can be made
again from them at any time.
"""
