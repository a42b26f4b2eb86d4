"""Site generator: gathers the pages of `docs/`, generates others, and leaves the build to Sphinx.

assemble     every page into one folder, links between files turned into links between pages
operations   one page per operation: equation, code, tests, golden cases
reference    one page per module with public names, in reading order
docstrings   the plain text of docstrings as reStructuredText
"""
