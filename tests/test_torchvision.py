"""A torchvision that does not fit the installed torch breaks libraries beside it, and nothing of ours."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEARNED = (
    "tasks.learning.registry, tasks.learning.training, tasks.learning.study, tasks.enhance, tasks.dewarp, flows.recipe"
)


def test_with_a_broken_torchvision_beside_it_everything_learned_is_imported(tmp_path: Path) -> None:
    broken = tmp_path / "torchvision"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    words = [sys.executable, "-c", f"import {LEARNED}; import torchvision"]
    paths = os.pathsep.join((str(tmp_path), str(ROOT)))
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.stderr.count("Traceback") == 1, done.stderr
    assert done.stderr.rstrip().endswith("operator torchvision::nms does not exist"), "the import of ours came before"
    assert "<string>" in done.stderr, "raised by the last words of the command itself"
