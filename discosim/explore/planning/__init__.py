"""The best split of each layer of a network, within a node's memory."""
