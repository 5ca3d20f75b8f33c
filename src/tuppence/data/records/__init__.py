"""Records: the rows of other people's files that a finetune learns from, and the ids that become of them.

`tables` reads rows (`columns` those of CSV and TSV); `labelled`, `conversations` and `preferences` say what they mean;
`splits` and `leaks` keep training and evaluation apart; `encoding` turns conversations and preferences into ids and
targets.
"""
