"""Models that the studies compare and that the reference does not offer."""
