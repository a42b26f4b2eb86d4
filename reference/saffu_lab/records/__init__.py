"""Records of measurements: result lines, texts and their split, intervals, verdicts, figures."""
