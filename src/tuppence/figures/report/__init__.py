"""The report of a run: `tuppence report RUN` writes RUN/report.html.

The files:

    page.py             the whole page
    classification.py   a classifier's evaluation
    receipt.py          the costs of the run in dollars and in time
"""
