"""`python -m tuppence` is `tuppence`."""

from tuppence.cli import main

main()
