"""S_comm of each layer within limits."""
