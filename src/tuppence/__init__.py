"""tuppence: a GPT-2-scale language model from scratch, where the dollar is a first-class quantity.

`import tuppence` is fast: torch and boto3 are imported only by the packages that need them.
"""

__version__ = "0.1.0"
