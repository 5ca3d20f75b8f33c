"""The page of a whole quickstart: ROOT/report.html.

page.py       the whole page
sections.py   the values of its sections, one for each stage
data.py       what the quickstart left below ROOT: the state that it keeps in story.json, and its runs
"""
