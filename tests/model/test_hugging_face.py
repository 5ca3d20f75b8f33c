from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import (
    config_from_hugging_face,
    config_to_hugging_face,
    from_hugging_face,
    our_name,
    their_name,
    to_hugging_face,
)


def test_every_name_survives_a_round_trip(small_config: ModelConfig) -> None:
    for name in GPT(small_config).state_dict():
        assert our_name(their_name(name)) == name
        assert our_name(their_name(name).removeprefix("transformer.")) == name


def test_names_and_shapes_are_those_of_transformers(
    small_config: ModelConfig, transformers_gpt2: Callable[..., Any]
) -> None:
    theirs = transformers_gpt2(small_config).state_dict()
    del theirs["lm_head.weight"]  # tied: it is not saved either
    ours = to_hugging_face(GPT(small_config).state_dict())
    assert {name: tensor.shape for name, tensor in ours.items()} == {
        name: tensor.shape for name, tensor in theirs.items()
    }


def test_states_survive_a_round_trip_bit_for_bit(small_config: ModelConfig, lively: Callable[..., GPT]) -> None:
    state = lively(small_config).state_dict()
    back = from_hugging_face(to_hugging_face(state))
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)
    assert all(tensor.is_contiguous() for tensor in back.values())


def test_a_head_that_is_the_embedding_is_dropped_and_any_other_refused() -> None:
    embedding = torch.randn(5, 3)
    state = {"transformer.wte.weight": embedding, "lm_head.weight": embedding.clone()}
    assert list(from_hugging_face(state)) == ["token_embedding.weight"]
    state["lm_head.weight"][0, 0] += 1
    with pytest.raises(InputError, match=r"lm_head.weight differs .* not tied"):
        from_hugging_face(state)


@pytest.mark.parametrize("name", ["score.weight", "h.0.attn.lora_A.weight", "h.0.crossattention.c_attn.weight", "x"])
def test_unknown_tensors_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=name):
        from_hugging_face({name: torch.zeros(1)})


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_configs_survive_a_round_trip(preset: str) -> None:
    config = PRESETS[preset].model_copy(update={"dropout": 0.25, "layer_norm_epsilon": 1e-6})
    assert config_from_hugging_face(config_to_hugging_face(config)) == config


def test_transformers_reads_our_config_as_the_same_sizes() -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GPT2Config.from_dict(config_to_hugging_face(PRESETS["gpt2-355m"], end_of_text=50256))
    assert (theirs.n_layer, theirs.n_head, theirs.n_embd, theirs.n_positions) == (24, 16, 1024, 1024)
    assert theirs.eos_token_id == 50256
    assert theirs.activation_function == "gelu_new"


def test_we_read_the_default_config_of_transformers_as_the_small_gpt2() -> None:
    transformers = pytest.importorskip("transformers")
    config = config_from_hugging_face(transformers.GPT2Config().to_dict())
    assert config == PRESETS["gpt2-124m"].model_copy(update={"dropout": 0.1})


VALID = config_to_hugging_face(PRESETS["nano"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "llama"}, "'llama'"),
        ({"model_type": None}, "model_type"),
        ({"activation_function": "relu"}, "activation_function is 'relu'"),
        ({"activation_function": "gelu"}, "activation_function is 'gelu'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx"),
        ({"scale_attn_weights": False}, "scale_attn_weights"),
        ({"scale_attn_weights": None}, "scale_attn_weights is None"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"n_inner": 100}, "n_inner is 100"),
        ({"n_layer": 10**9}, "n_layers"),
        ({"n_layer": "4"}, "n_layer is '4'"),
        ({"n_layer": True}, "n_layer is True"),
        ({"n_head": 5}, "not a multiple"),
        ({"n_head": 0}, "n_heads"),
        ({"n_embd": -192}, "d_model"),
        ({"vocab_size": 1e30}, "vocab_size"),
        ({"layer_norm_epsilon": "big"}, "layer_norm_epsilon"),
    ],
)
def test_configs_we_do_not_implement_are_refused_with_the_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config_from_hugging_face({**VALID, **change})


def test_sizes_by_the_names_that_transformers_has_for_all_models_are_read() -> None:
    transformers = pytest.importorskip("transformers")
    names = {"n_embd": "hidden_size", "n_positions": "max_position_embeddings"}
    names |= {"n_head": "num_attention_heads", "n_layer": "num_hidden_layers"}
    values = {names.get(key, key): value for key, value in VALID.items()}
    theirs = transformers.GPT2Config(**values)
    ours = config_from_hugging_face(values)
    assert ours == config_from_hugging_face(VALID)
    assert (theirs.n_embd, theirs.n_layer) == (ours.d_model, ours.n_layers)


@pytest.mark.parametrize("key", ["n_layer", "n_head", "n_embd", "n_positions", "vocab_size"])
def test_a_missing_size_is_named(key: str) -> None:
    with pytest.raises(InputError, match=f"{key} is missing"):
        config_from_hugging_face({name: value for name, value in VALID.items() if name != key})


@pytest.mark.parametrize("values", [None, [], "gpt2", 3])
def test_a_config_that_is_no_object_is_refused(values: Any) -> None:
    with pytest.raises(InputError, match="model_type"):
        config_from_hugging_face(values)
