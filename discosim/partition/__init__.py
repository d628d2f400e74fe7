"""Strategies: how a network is laid out on the nodes, as arrays over layers."""
