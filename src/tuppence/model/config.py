"""The sizes of a GPT-2 model, the presets, and the counts that follow from the sizes alone.

This module does not import torch: plans and prices are computed from a config before heavy imports.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The upper limits are far above any GPT-2 and far below sizes that would exhaust a machine. A config.json can come from
# any source, and its numbers are used before any weight is read.
Layers = Annotated[int, Field(ge=1, le=512)]
Heads = Annotated[int, Field(ge=1, le=512)]
Width = Annotated[int, Field(ge=1, le=32_768)]
Context = Annotated[int, Field(ge=1, le=1_048_576)]
Vocabulary = Annotated[int, Field(ge=1, le=4_194_304)]


class ModelConfig(BaseModel):
    """The sizes of one GPT-2 model. Frozen: a model never changes its shape.

    Attributes:
        n_layers: transformer blocks.
        n_heads: attention heads in a block; divides `d_model`.
        d_model: width of the residual stream.
        context_length: maximum number of tokens in one forward pass (one learned position embedding each).
        vocab_size: number of token ids, including special tokens.
        dropout: probability for the embeddings, the attention weights and both residual branches; 0 for large data.
        layer_norm_epsilon: added to the variance in every layer norm.

    Raises:
        pydantic.ValidationError: a size is out of range, `n_heads` does not divide `d_model`, or a key is unknown.

    Example:
        >>> PRESETS["gpt2-124m"].parameter_count()
        124439808
        >>> PRESETS["tiny"].model_copy(update={"vocab_size": 50257}).parameter_count()
        30044544
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_layers: Layers
    n_heads: Heads
    d_model: Width
    context_length: Context
    vocab_size: Vocabulary
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    layer_norm_epsilon: Annotated[float, Field(gt=0.0, le=0.1)] = 1e-5

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> ModelConfig:
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        return self

    @property
    def head_width(self) -> int:
        """Width of one attention head, K."""
        return self.d_model // self.n_heads

    def parameter_count(self) -> int:
        """The exact number of parameters, with the head tied to the token embedding (counted once)."""
        width = self.d_model
        embeddings = (self.vocab_size + self.context_length) * width
        norm = 2 * width
        attention = width * 3 * width + 3 * width + width * width + width
        mlp = width * 4 * width + 4 * width + 4 * width * width + width
        return embeddings + self.n_layers * (2 * norm + attention + mlp) + norm

    def flops_per_token(self) -> float:
        """Floating-point operations to train on one token, forward and backward: 6 N + 12 L d T.

        N counts every parameter, T is the context length. The first term is the matrix products (2 N forward,
        4 N backward). The second term is the scores and weighted sums of attention, without the saving of the causal
        mask (PaLM, arXiv:2204.02311, appendix B). N includes the position embeddings, although they are only looked
        up (0.6 % of gpt2-124m), so that N is the same number everywhere.
        """
        return 6.0 * self.parameter_count() + 12.0 * self.n_layers * self.d_model * self.context_length


def _gpt2(n_layers: int, n_heads: int, d_model: int) -> ModelConfig:
    return ModelConfig(n_layers=n_layers, n_heads=n_heads, d_model=d_model, context_length=1024, vocab_size=50257)


PRESETS: dict[str, ModelConfig] = {
    # for CPUs: 1.4M (the quickstart), 13.9M and 33.9M parameters
    "nano": ModelConfig(n_layers=4, n_heads=4, d_model=128, context_length=256, vocab_size=4096),
    "tiny": ModelConfig(n_layers=6, n_heads=6, d_model=384, context_length=256, vocab_size=8192),
    "small": ModelConfig(n_layers=8, n_heads=8, d_model=512, context_length=512, vocab_size=16384),
    # Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", table 2
    "gpt2-124m": _gpt2(12, 12, 768),
    "gpt2-355m": _gpt2(24, 16, 1024),
    "gpt2-774m": _gpt2(36, 20, 1280),
    "gpt2-1558m": _gpt2(48, 25, 1600),
}
"""Known sizes by name. `vocab_size` is that of the preset's usual tokenizer; a recipe can replace it."""
