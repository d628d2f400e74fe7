"""Everybody's measurements: profiles fitted to them, and predictions beside them."""
