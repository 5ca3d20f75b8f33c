"""lm-eval finds our models by name in every Python of an environment that tuppence is installed in."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_lm_eval_knows_our_model_by_name_and_its_own_as_before() -> None:
    found = run(
        "import lm_eval.models\n"
        "from lm_eval.api.registry import get_model\n"
        "print(get_model('tuppence').__module__, get_model('dummy').__name__)"
    )
    assert found == "tuppence.evaluation.lm_eval_adapter DummyLM"


def test_importing_the_adapter_first_does_no_harm() -> None:
    found = run(
        "from tuppence.evaluation.lm_eval_adapter import TuppenceLM\n"
        "import lm_eval.models\n"
        "from lm_eval.api.registry import get_model\n"
        "print(get_model('tuppence') is TuppenceLM)"
    )
    assert found == "True"


def test_a_python_that_does_not_import_lm_eval_imports_nothing_of_it() -> None:
    heavy = "'lm_eval', 'torch', 'numpy', 'typing', 'tuppence.core'"
    found = run(f"import sys; print([name for name in ({heavy}) if name in sys.modules])")
    assert found == "[]"
