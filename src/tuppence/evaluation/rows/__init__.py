"""Files of rows, the questions in them, and the log of their results."""
