"""Networks as graphs of layers: counts, execution order, placement."""
