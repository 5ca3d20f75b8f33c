"""The figures room: every picture and page that shows what a run did.

`record` reads a run folder, `curves` and `receipt` draw from it, `style` says how, `svg` puts a picture into a
page, and `report` writes the page. Every drawing function returns a matplotlib Figure and touches no global state, so a
notebook, a report and a test can call it alike.
"""
