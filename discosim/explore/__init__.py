"""Many configurations at once: sweeps and searches over the model."""
