"""Runs tasks of EleutherAI's lm-evaluation-harness on our models."""
