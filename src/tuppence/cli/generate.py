"""`tuppence generate` and `tuppence chat`: generate text with a model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.flags import Device, Json
from tuppence.cli.places import InputRun, add_verb
from tuppence.core import console
from tuppence.core.interrupts import interrupt_taken

if TYPE_CHECKING:
    from tuppence.model.chat import ChatSession
    from tuppence.model.gpt import GPT
    from tuppence.model.loaded import LoadedModel
    from tuppence.model.sampling import Sampling
    from tuppence.tokenizer import Tokenizer

Run = Annotated[InputRun, typer.Argument(help="A run, or a Hugging Face GPT-2 folder with a tokenizer.")]
MaxTokens = Annotated[int, typer.Option(min=0, help="Largest number of new tokens.")]
Temperature = Annotated[float, typer.Option(help="0 always takes the likeliest token; higher values are more random.")]
TopK = Annotated[int | None, typer.Option(help="Draw only from the K likeliest tokens.")]
TopP = Annotated[
    float | None, typer.Option(help="Draw only from the likeliest tokens whose probabilities sum to P; 1: all tokens.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of the random choices; by default every call differs.")]
Stop = Annotated[
    list[str] | None, typer.Option(help="Text that ends the output; for a line break write $'\\n'. Repeatable.")
]
Precision = Annotated[str, typer.Option(help="float32, bf16, fp16, or auto: the fastest on the device.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, generate)
    add_verb(app, chat)


def generate(
    run: Run,
    prompt: Annotated[list[str], typer.Option(help="Text to continue; '-' reads it from stdin. Repeatable.")],
    max_tokens: MaxTokens = 100,
    temperature: Temperature = 0.7,
    top_k: TopK = None,
    top_p: TopP = 0.9,
    seed: Seed = None,
    stop: Stop = None,
    num_samples: Annotated[int, typer.Option(min=1, help="Number of continuations of each prompt.")] = 1,
    device: Device = "auto",
    precision: Precision = "float32",
    json: Json = False,
) -> None:
    """Continue a text.

    The prompt and its continuation are printed on stdout while they are generated; everything else on stderr. Several
    continuations are separated by an empty line. If the text becomes longer than the model's context, the model reads
    its newest part. The end-of-text token ends a continuation.

    \b
    Examples:
      tuppence generate runs/tiny --prompt "It was a dark and stormy" --max-tokens 80
      tuppence generate runs/tiny --prompt "Once upon a time" --num-samples 3 --seed 1
      tuppence generate ./gpt2 --prompt "Q: Who are you?" --stop "Q:" --temperature 0 --json
      cat chapter.txt | tuppence generate runs/tiny --prompt -
    """
    from tuppence.model.text import generate_text

    sampling = _sampling(temperature, top_k, top_p, max_tokens, seed, stop)
    loaded = _load(run, device, precision)
    model, tokenizer = loaded.model, loaded.tokenizer
    if "-" in prompt:
        piped = console.read_stdin().removesuffix("\n")  # `echo` and editors put a line end last
        prompt = [piped if text == "-" else text for text in prompt]
    texts = [text for text in prompt for _ in range(num_samples)]
    for text in dict.fromkeys(texts):
        _check(text, model, tokenizer)
    streaming = len(texts) == 1 and not json
    if streaming:
        _write(texts[0])
    completions = generate_text(
        model,
        tokenizer,
        texts,
        [replace(sampling, seed=None if seed is None else seed + n) for _ in prompt for n in range(num_samples)],
        on_text=(lambda _, piece: _write(piece)) if streaming else None,
    )
    if json:
        console.emit_json([vars(completion) for completion in completions])
    elif streaming:
        _write("\n")
    else:
        _write("\n".join(f"{completion.prompt}{completion.text}\n" for completion in completions))


def chat(
    run: Run,
    max_tokens: MaxTokens = 100,
    temperature: Temperature = 0.7,
    top_k: TopK = None,
    top_p: TopP = 0.9,
    seed: Seed = None,
    stop: Stop = None,
    device: Device = "auto",
    precision: Precision = "float32",
) -> None:
    """Chat with a model in the terminal.

    The model reads the whole conversation, as far as its context length allows. A base model continues the text instead
    of answering it. /reset starts a new conversation, /exit or Ctrl-D ends the program, Ctrl-C stops an answer.

    \b
    Examples:
      tuppence chat runs/tiny
      tuppence chat ./gpt2 --temperature 0.7 --top-p 0.9 --max-tokens 60
      printf 'Once upon a time\\nThe next day\\n' | tuppence chat runs/tiny --seed 1
    """
    from tuppence.model.chat import ChatSession

    sampling = _sampling(temperature, top_k, top_p, max_tokens, seed, stop)
    loaded = _load(run, device, precision)
    tokenizer = loaded.tokenizer
    if tokenizer.chat_template is not None and not tokenizer.has_chat_template:
        console.note("the model's own chat template is not used: it continues plain text")
    console.note("/reset starts a new conversation, /exit or Ctrl-D ends the program, Ctrl-C stops an answer")
    _talk(ChatSession(loaded.model, tokenizer, sampling))


def _talk(session: ChatSession) -> None:
    """Reads lines and answers them until there are no more."""
    while True:
        try:
            line = console.read_line()
            if line is None or line.strip() == "/exit":
                return
            _answer(session, line)
        except KeyboardInterrupt:
            interrupt_taken()
            console.note("")
            console.note("stopped; /exit or Ctrl-D ends the program")


def _answer(session: ChatSession, line: str) -> None:
    if line.strip() == "/reset":
        session.reset()
        console.note("new conversation")
    elif line.strip():
        try:
            session.reply(line, _write)
        finally:
            _write("\n")


def _load(run: str, device: str, precision: str) -> LoadedModel[GPT]:
    from tuppence.model.loaded import load
    from tuppence.model.weights import unused_generation_settings

    loaded = load(run, device, precision, head="lm", cast_weights=True)
    unused = unused_generation_settings(loaded.place)
    if unused:
        console.note(f"ignored in generation_config.json: {', '.join(unused)}; see --temperature, --top-k and --top-p")
    return loaded


def _check(text: str, model: GPT, tokenizer: Tokenizer) -> None:
    """Checks that the model can read a prompt, before anything is printed; warns if it is too long.

    Raises:
        InputError: an id is not in the model's vocabulary.
    """
    from tuppence.model.generate import check_prompts

    ids, context = tokenizer.encode(text) or tokenizer.start_ids, model.config.context_length
    check_prompts([ids], model.config.vocab_size)
    if len(ids) > context:
        console.warn(
            f"the prompt has {len(ids):,} tokens, the model's context {context:,}: it reads the newest part only"
        )


def _sampling(
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    max_tokens: int,
    seed: int | None,
    stop: list[str] | None,
) -> Sampling:
    """Returns the flags as one object; warns if a stop text has a backslash where a line break was probably meant."""
    from tuppence.model.sampling import Sampling

    for one in stop or []:
        if "\\n" in one or "\\t" in one:
            console.warn(f"--stop '{one}' has a backslash and a letter; for a line break or tab write --stop $'{one}'")
    return Sampling(temperature, top_k, top_p, max_tokens, seed, tuple(stop or ()))


def _write(text: str) -> None:
    console.out(text, end="")
