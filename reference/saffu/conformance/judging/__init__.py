"""Whether a port is right: cases run, errors measured, bounds applied, levels given."""
