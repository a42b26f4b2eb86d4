"""How `docs/` becomes a site: pages are gathered and written here, then built by Sphinx.

assemble     every page into one folder, links between files turned into links between pages
operations   one page for each operation: equation, code, tests, golden cases
reference    one page for each module with public names, in reading order
docstrings   the plain text of docstrings as reStructuredText
"""
