"""tuppence: a GPT-2-scale language model from scratch, where the dollar is a first-class quantity.

`import tuppence` stays light: neither torch nor boto3 is imported until a room that needs it is.
"""

__version__ = "0.1.0"
