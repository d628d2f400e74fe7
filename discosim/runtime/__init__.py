"""The split network, its masks held while it trains, and the processes that run it (torch)."""
