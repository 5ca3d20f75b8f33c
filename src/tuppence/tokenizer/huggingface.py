"""Writes Hugging Face's `tokenizer.json` and `tokenizer_config.json`.

`tokenizers` and `AutoTokenizer` load these files, and give the same ids. `huggingface_reader` reads such files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.tokenizer import byte_alphabet
from tuppence.tokenizer.patterns import GPT2
from tuppence.tokenizer.vocabulary import END_OF_TEXT, Vocabulary

TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
"""Newer versions of transformers write the chat template here; all versions read the key in `CONFIG_FILE`."""
_OF_AN_OLDER_TOKENIZER = (TEMPLATE_FILE, "special_tokens_map.json", "added_tokens.json")


def write(
    vocabulary: Vocabulary,
    folder: Path,
    chat_template: str | None = None,
    *,
    end: str | None = END_OF_TEXT,
    pads: bool = False,
) -> None:
    """Writes both files into `folder`, `tokenizer.json` last.

    Other files of a tokenizer that was in the folder before (template, special and added tokens) are removed, because
    readers would apply them to the new one.
    """
    template = {} if chat_template is None else {"chat_template": chat_template}
    files.write_json(folder / CONFIG_FILE, config_document(vocabulary, end=end, pads=pads) | template)
    for name in _OF_AN_OLDER_TOKENIZER:
        (folder / name).unlink(missing_ok=True)
    files.write_json(folder / TOKENIZER_FILE, tokenizer_document(vocabulary))


def config_document(vocabulary: Vocabulary, *, end: str | None, pads: bool = False) -> dict[str, Any]:
    """The content of `tokenizer_config.json`.

    Args:
        end: the special token that ends a text.
        pads: name it as the padding token, too; otherwise the config has none.
    """
    roles = ["bos_token", "eos_token", *(["pad_token"] if pads else [])]
    ends = dict.fromkeys(roles, end) if end in vocabulary.special_tokens else {}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        **ends,
    }


def tokenizer_document(vocabulary: Vocabulary) -> dict[str, Any]:
    """The content of `tokenizer.json`."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    if vocabulary.pattern is GPT2:
        pre_tokenizer: dict[str, Any] = byte_level
    else:
        pattern = {"Regex": vocabulary.pattern.published}
        split = {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}
        pre_tokenizer = {"type": "Sequence", "pretokenizers": [split, byte_level | {"use_regex": False}]}
    tokens = {byte_alphabet.to_characters(token): identity for token, identity in vocabulary.ranks.items()}
    tokens |= vocabulary.special_tokens
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": identity,
                "content": name,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for name, identity in vocabulary.special_tokens.items()
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(sorted(tokens.items(), key=lambda item: item[1])),
            "merges": [
                f"{byte_alphabet.to_characters(left)} {byte_alphabet.to_characters(right)}"
                for left, right in vocabulary.merges
            ],
        },
    }
