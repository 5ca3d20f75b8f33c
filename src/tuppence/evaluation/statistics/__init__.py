"""Metrics of predictions, their bootstrap intervals, and comparisons of runs. No model in here."""
