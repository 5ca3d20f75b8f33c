"""The page of a whole quickstart: ROOT/report.html.

The files:

    page.py       the whole page
    sections.py   the values of its sections, one for each stage
    data.py       reads the files of a quickstart below ROOT: its state in story.json, and its runs
"""
