"""The latency and memory equations: pure functions of numpy arrays."""
