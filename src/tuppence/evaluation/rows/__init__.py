"""Reads files of rows, and logs the result of each row."""
