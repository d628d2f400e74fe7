"""Measured runs: this machine's profile, a link of a chosen bandwidth, predictions against both."""
