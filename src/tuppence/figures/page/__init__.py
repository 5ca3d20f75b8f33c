"""A model live in a page: `tuppence export RUN --to page`, and the same part of `report.html`.

    quantise.py     weights in int8, one scale for each row
    packing.py      a model and its tokenizer as one JSON document
    live.py         that document, the scripts and their hash, for a template
    small.py        the same for a report, if the models are small enough; imports torch only then
    page.py         the page of one model, or of two side by side
    javascript/     the model, its tokenizer and the page's controls in plain JavaScript

The page is one file without a network: it is opened from a disk, and nothing that is typed into it leaves it.
"""
