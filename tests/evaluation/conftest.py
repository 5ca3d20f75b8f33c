"""A tokenizer, a small model and a text that belong together; and a chat endpoint on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tuppence.data.prepare import prepare
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer import Tokenizer, train_tokenizer

DOCUMENTS = [
    "The lamp was lit, and the café — naïve as ever — stayed open. " * 6,
    "It rained.\nIt rained again; nobody minded the rain, 雨が降る。",
    "A third, short one.",
]


@dataclass(frozen=True)
class World:
    """What an evaluation needs, on the disk."""

    tokenizer: Tokenizer
    text: Path
    documents: list[str]
    data: Path
    model: Path
    run: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    tokenizer = train_tokenizer(DOCUMENTS, 300)
    text = folder / "val.txt"
    text.write_text("\n<|endoftext|>\n".join(DOCUMENTS), encoding="utf-8")
    tokenizer.save(folder / "tok")
    prepare([str(text)], tokenizer, folder / "data", val_inputs=[str(text)], workers=1)
    torch.manual_seed(3)
    model = GPT(ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=tokenizer.vocab_size))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    save_model(model, folder / "hf", tokenizer=tokenizer)
    save_model(model, folder / "run" / "model", tokenizer=tokenizer)
    record = {"status": "done", "data": {"path": str(folder / "data")}}
    (folder / "run" / "run.yaml").write_text(yaml.safe_dump(record))
    return World(tokenizer, text, DOCUMENTS, folder / "data", folder / "hf", folder / "run")


class Endpoint:
    """Answers from `replies` in turn (status and text), the last one for ever; keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = [(200, "50")]
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        endpoint, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    endpoint.asked.append(body)
                    endpoint.keys.append(self.headers.get("Authorization"))
                    status, text = endpoint.replies[0]
                    if len(endpoint.replies) > 1:
                        endpoint.replies.pop(0)
                answer = {"choices": [{"message": {"role": "assistant", "content": text}}]}
                content = json.dumps(answer).encode() if status == 200 and not text.startswith("RAW") else text.encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", text)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()
    thread.join()
