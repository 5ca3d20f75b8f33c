"""Rows of users' files for finetuning, and their token ids.

`tables` reads rows (`columns` and `cells` for CSV and TSV, `json_rows` for JSON); `labelled`, `conversations` and
`preferences` interpret them; `splits` and `leaks` keep training and evaluation separate; `encoding` encodes
conversations and preferences as ids and targets.
"""
