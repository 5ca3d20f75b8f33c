"""The figures of the course, by subject; `tuppence.figures` has them all by name."""
