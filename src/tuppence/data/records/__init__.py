"""Records: the rows of users' files for finetuning, and their token ids.

`tables` reads rows (`columns` for CSV and TSV); `labelled`, `conversations` and `preferences` interpret them; `splits`
and `leaks` keep training and evaluation separate; `encoding` turns conversations and preferences into ids and targets.
"""
