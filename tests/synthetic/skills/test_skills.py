from __future__ import annotations

from tuppence.synthetic.skills import EASY, HARD, numbers, sentences, words


def test_every_maker_has_one_kind_and_every_kind_comes() -> None:
    makers = [
        function
        for module in (numbers, sentences, words)
        for name, function in vars(module).items()
        if callable(function) and function.__module__ == module.__name__ and not name.startswith("_")
        if function.__annotations__.get("return") == "Draft"
    ]
    listed = [*EASY.values(), *HARD.values()]
    assert sorted(make.__qualname__ for make, _ in listed) == sorted(make.__qualname__ for make in makers)
    assert not EASY.keys() & HARD.keys()
    assert all(share > 0 for _, share in listed)
