"""What a person reads: cases explained, and a run as lines, tables, JUnit XML, badge and page.

No port is judged here.
"""
