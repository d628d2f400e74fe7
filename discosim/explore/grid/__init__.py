"""Grids of any size: axes, evaluation in blocks, fronts, executors."""
