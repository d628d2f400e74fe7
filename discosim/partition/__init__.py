"""Who has, needs, sends and computes what, as arrays over layers."""
