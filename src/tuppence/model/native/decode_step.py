"""The next token's logits for one sequence on a CPU, through one compiled function: `decode_step.cpp`.

`generate` uses it for every token after the first forward pass over a window. Conditions: one sequence, on a CPU, a
plain `GPT` in float32 or bfloat16, and a compiled library. The result equals that of the ordinary path up to the order
of additions, and the KV cache is the same. The speed-up is in benchmarks/LOG.md, "Generation".

Building takes about two seconds, once for each machine. The library is built when the current generation would take
longer without it than the build takes. Later generations use it.
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
from tuppence.model.native import library
from tuppence.model.thread_choice import ThreadChoice

BUILD_SECONDS = 2.5
"""Approximate build time."""

ORDINARY_BYTES_PER_SECOND = 10e9
ORDINARY_SECONDS_PER_LAYER = 1e-4
"""Approximate cost of a token on the ordinary path: reading the weights, and starting the operations of each layer."""

BYTES_PER_THREAD = 2 * 2**20
"""Minimum bytes of weights for each thread: with fewer, starting the thread costs more than it saves."""

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
    """Returns the compiled step for the single sequence of `cache`, or None if it cannot be used.

    Args:
        model: in evaluation mode or without dropout.
        cache: must hold the tokens read so far before the first step.
        tokens: number of tokens still to generate; decides whether a build is worth its time.
    """
    if not (_is_one_on_cpu(cache) and _is_plain(model)):
        return None
    found = library(build=_ordinary_seconds(model) * tokens > BUILD_SECONDS)
    return None if found is None else DecodeStep(found, model, cache)


class DecodeStep:
    """Reads one token into the cache and returns the logits of the next.

    The step reads the model's weights through pointers. It sees changes made in place. If a parameter gets a new
    tensor, the step continues to use the old one.

    Args:
        found: the compiled library.
        model, cache: as `compiled_step` accepts them.
        threads: maximum number of threads; torch's number by default, fewer for a small model. The result does not
            depend on it.
    """

    def __init__(self, found: ctypes.CDLL, model: GPT, cache: KVCache, threads: int | None = None) -> None:
        self._cache = cache
        self._kept: list[Tensor] = [cache.keys_LBHSK, cache.values_LBHSK]
        """The tensors behind the pointers; kept so that their memory is not freed."""
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
            MemoryError: the function could not allocate its buffers (a few kilobytes).
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
        tensor = parameter.detach()  # shares the memory, and keeps it if the parameter gets a new tensor
        self._kept.append(tensor)
        return tensor.data_ptr()


@cache
def _thread_choice(threads: int, weight_bytes: int) -> ThreadChoice:
    """Returns one `ThreadChoice` for each model size, shared by all texts of the process, with its measurements."""
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
    """Whether `model` is an unmodified GPT: no adapter, no hook, no mixed precision."""
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
    """Approximate seconds for one token without the compiled step."""
    return _weight_bytes(model) / ORDINARY_BYTES_PER_SECOND + model.config.n_layers * ORDINARY_SECONDS_PER_LAYER


def _weight_bytes(model: GPT) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
