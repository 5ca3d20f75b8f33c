"""Metrics of predictions, their bootstrap intervals, and comparisons of runs. They use no model."""
