"""What a run leaves behind: lines, tables, JUnit XML, a badge, a page; no verdict is made here."""
