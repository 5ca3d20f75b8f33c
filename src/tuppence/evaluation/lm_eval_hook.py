"""Makes lm-eval know our models by name: `lm-eval run --model tuppence …`.

lm-eval 0.4 knows the models of its own package and has no entry points for others. Its table is filled when
`lm_eval.models` is imported. A `.pth` file, installed beside the package, imports this file when Python starts; ours is
then added to that table as lm-eval adds its own: by name, loaded when it is asked for. A program that never imports
lm-eval pays for importing this file alone. Where no .pth file is read (`pip install --target`),
`import tuppence.evaluation.lm_eval_adapter` does the same.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

TYPE_CHECKING = False  # as typing's, without importing it whenever Python starts
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

TABLE = "lm_eval.models"
ADAPTER = "tuppence.evaluation.lm_eval_adapter:TuppenceLM"


class _Loader(SourceFileLoader):
    """Loads lm-eval's table, then adds a line to it."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        from lm_eval.api.registry import model_registry

        if "tuppence" not in model_registry:
            model_registry.register("tuppence", target=ADAPTER)


class _Finder:
    """Finds lm-eval's table where Python itself would find it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != TABLE:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and type(found.loader) is SourceFileLoader:
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


def install() -> None:
    """Watches for lm-eval; once is enough."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)


install()
