"""Masks: which features each node needs, chosen from the weights, and the split network itself."""
