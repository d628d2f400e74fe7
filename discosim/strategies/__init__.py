"""Strategies: how a network is laid out on the nodes, one file a strategy."""
