"""Less data: explicit, warm- and cold-started models and rivals, by size of text.   (SPEC 7)"""
