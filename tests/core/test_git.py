from __future__ import annotations

from tuppence.core.git import git_commit


def test_the_commit_of_this_checkout_is_found() -> None:
    commit = git_commit()
    assert commit is None or len(commit.removesuffix("+changes")) == 40
