"""Latency simulator and design-space explorer for networks split over several devices."""

__version__ = "0.1.0"
