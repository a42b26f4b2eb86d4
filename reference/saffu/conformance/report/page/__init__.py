"""The page of a report: what a port did, operation by operation, for people to read."""
