"""The next token's logits for one sequence on a CPU, through one compiled function: `decode_step.cpp`.

Used by `generate` for every token after a window's first reading, where it can be: one sequence, on a CPU, a plain
`GPT` in float32 or bfloat16, and the function built. It computes what the ordinary path computes, up to the order of
additions, and uses the same KV cache; the speed-up is in benchmarks/LOG.md, "Generation".

Building takes about two seconds, once on a machine. A person who asks for one sentence of a tiny model should not wait
for it, one who asks for a page of a large one should not have to know of it: so it is built when the generation at hand
would take longer without it than building does, and used ever after.
"""

from __future__ import annotations

import ctypes
import time
from functools import cache
from itertools import chain

import torch
from torch import Tensor, nn

from tuppence.model.attention import CausalSelfAttention
from tuppence.model.cache import KVCache
from tuppence.model.gpt import GPT, MLP, Block
from tuppence.model.linear import Linear
from tuppence.model.native.library import library
from tuppence.model.thread_choice import ThreadChoice

BUILD_SECONDS = 2.5
"""What building takes, roughly."""

ORDINARY_BYTES_PER_SECOND = 10e9
ORDINARY_SECONDS_PER_LAYER = 1e-4
"""What the ordinary path takes for a token, roughly: reading the weights, and starting the operations of each layer."""

BYTES_PER_THREAD = 2 * 2**20
"""A thread that has fewer bytes of weights to read is not worth starting."""

FUNCTIONS = {torch.float32: "decode_float32", torch.bfloat16: "decode_bfloat16"}

_PLAIN = (GPT, Block, CausalSelfAttention, MLP, Linear, nn.LayerNorm, nn.Embedding, nn.Dropout, nn.ModuleList)


class _Layer(ctypes.Structure):
    """As `Layer` in decode_step.cpp."""

    _fields_ = [
        (name, ctypes.c_void_p)
        for name in (
            *("attention_norm_weight_D", "attention_norm_bias_D", "qkv_weight_3DD", "qkv_bias_3D"),
            *("projection_weight_DD", "projection_bias_D", "mlp_norm_weight_D", "mlp_norm_bias_D"),
            *("expand_weight_4DD", "expand_bias_4D", "contract_weight_D4D", "contract_bias_D"),
            *("keys_HSK", "values_HSK"),
        )
    ]


class _Model(ctypes.Structure):
    """As `Model` in decode_step.cpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("n_layers", "n_heads", "d_model", "vocab_size", "capacity")),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in ("token_embedding_VD", "position_embedding_SD")),
        *((name, ctypes.c_void_p) for name in ("final_norm_weight_D", "final_norm_bias_D")),
        ("layers", ctypes.POINTER(_Layer)),
    ]


def compiled_step(model: GPT, cache: KVCache, tokens: int) -> DecodeStep | None:
    """The compiled step for the one sequence of `cache`, or None where the ordinary path has to do.

    Args:
        model: in evaluation mode or without dropout.
        cache: holds what has been read so far, or will before the first step.
        tokens: how many are still to come; decides whether building pays.
    """
    if not (_is_one_on_cpu(cache) and _is_plain(model)):
        return None
    found = library(build=_ordinary_seconds(model) * tokens > BUILD_SECONDS)
    return None if found is None else DecodeStep(found, model, cache)


class DecodeStep:
    """Reads one token into the cache and returns the logits of the next.

    The model's weights are read where they are: changed in place, they are seen; replaced, the old ones stay in use.

    Args:
        found: the compiled library.
        model, cache: as `compiled_step` accepts them.
        threads: the maximum; torch's number by default, fewer for a small model. The result does not depend
            on it.
    """

    def __init__(self, found: ctypes.CDLL, model: GPT, cache: KVCache, threads: int | None = None) -> None:
        self._cache = cache
        self._kept: list[Tensor] = [cache.keys_LBHSK, cache.values_LBHSK]
        """The tensors that are pointed to: they must live as long as the pointers."""
        weights = _weight_bytes(model)
        self._choice = _thread_choice(
            threads or max(1, min(torch.get_num_threads(), weights // BYTES_PER_THREAD)), weights
        )
        self._function = found[FUNCTIONS[cache.keys_LBHSK.dtype]]
        self._function.argtypes = (
            ctypes.POINTER(_Model),
            *(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int),
        )
        self._model = self._point_to(model)

    def __call__(self, token: int) -> Tensor:
        """The logits after `token`, (1, V).

        Raises:
            MemoryError: a few kilobytes could not be had.
        """
        self._cache.advance(1)
        logits_1V = torch.empty(1, self._model.vocab_size, dtype=self._cache.keys_LBHSK.dtype)
        began = time.perf_counter()
        failed = self._function(self._model, token, self._cache.length - 1, logits_1V.data_ptr(), self._choice.threads)
        self._choice.took(time.perf_counter() - began)
        if failed:
            raise MemoryError("no memory left for one more token")
        return logits_1V

    def _point_to(self, model: GPT) -> _Model:
        config = model.config
        layers = (_Layer * config.n_layers)(
            *(
                _Layer(
                    *chain.from_iterable(map(self._pair, _in_order(block))),
                    self._cache.keys_LBHSK[index].data_ptr(),
                    self._cache.values_LBHSK[index].data_ptr(),
                )
                for index, block in enumerate(model.blocks)
            )
        )
        return _Model(
            *(config.n_layers, config.n_heads, config.d_model, config.vocab_size, self._cache.keys_LBHSK.shape[3]),
            config.layer_norm_epsilon,
            self._pointer(model.token_embedding.weight),
            self._pointer(model.position_embedding.weight),
            *self._pair(model.final_norm),
            layers,
        )

    def _pair(self, module: nn.Linear | nn.LayerNorm) -> tuple[int, int]:
        return self._pointer(module.weight), self._pointer(module.bias)

    def _pointer(self, parameter: Tensor) -> int:
        tensor = parameter.detach()  # shares the memory, and keeps it even if the parameter is given another
        self._kept.append(tensor)
        return tensor.data_ptr()


@cache
def _thread_choice(threads: int, weight_bytes: int) -> ThreadChoice:
    """One for all texts of the process by models of a size: what was measured for one text holds for the next."""
    return ThreadChoice(threads)


def _in_order(block: nn.Module) -> list[nn.Linear | nn.LayerNorm]:
    """The modules whose weight and bias `_Layer` lists."""
    assert isinstance(block, Block)
    attention, mlp = block.attention, block.mlp
    return [block.attention_norm, attention.qkv, attention.projection, block.mlp_norm, mlp.expand, mlp.contract]


def _is_one_on_cpu(cache: KVCache) -> bool:
    keys = cache.keys_LBHSK
    return keys.shape[1] == 1 and keys.device.type == "cpu" and keys.dtype in FUNCTIONS


def _is_plain(model: GPT) -> bool:
    """Whether `model` computes what gpt.py says and nothing else: no adapter, no hook, no mixed precision."""
    if any(
        type(module) not in _PLAIN or module._forward_hooks or module._forward_pre_hooks for module in model.modules()
    ):
        return False
    weight = model.token_embedding.weight
    return (
        not torch.is_autocast_enabled("cpu")
        and all(isinstance(block, Block) and block.attention.implementation == "sdpa" for block in model.blocks)
        and all(
            parameter.dtype == weight.dtype and parameter.device.type == "cpu" and parameter.is_contiguous()
            for parameter in model.parameters()
        )
    )


def _ordinary_seconds(model: GPT) -> float:
    """What one token takes without the compiled step, roughly."""
    return _weight_bytes(model) / ORDINARY_BYTES_PER_SECOND + model.config.n_layers * ORDINARY_SECONDS_PER_LAYER


def _weight_bytes(model: GPT) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
