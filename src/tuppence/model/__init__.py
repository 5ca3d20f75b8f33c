"""GPT-2 from scratch: the model, its weights on disk, and text generation.

Read in this order: `config` (the sizes), `attention`, `gpt` (the model), `loss`; then `cache`, `sampling`, `generate`
and `text` (generation); `loaded` (how a trained model is opened) and `weights` (Hugging Face folders); `branches` (two
answers to one prompt as one row), `lora` and `heads`. `native` and `graph_step` only make generation faster.

The names of tensors carry their shape, one letter for each dimension:

    B  batch: sequences side by side          D  width of the residual stream (d_model)
    T  time: the tokens fed in this call      H  attention heads
    S  source: the tokens attended to,        K  width of one head, D = H * K
       cached ones included                   V  vocabulary
    N  tokens without order, N = B * T        L  layers

so `q_BHTK` holds, for every sequence, head and token, a query of width K. Dimensions of size 1 are written as 1.
"""
