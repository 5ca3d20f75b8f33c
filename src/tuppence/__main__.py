"""The program: `tuppence`, and `python -m tuppence`, as torchrun starts it."""

import sys


def run() -> None:
    """Runs the command line of this process. Ctrl-C during the first imports exits as it does later."""
    try:
        from tuppence.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
