"""Whether a port is right: inputs drawn, cases run, errors measured, bounds applied, levels."""
