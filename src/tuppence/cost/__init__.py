"""Dollars: rates, hardware figures, the ledger of a run, and the limits that end it."""
