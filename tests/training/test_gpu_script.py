"""What ``tools/gpu.sh`` takes to a machine with PyTorch and NumPy is all that is imported there."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMPORTS = """
import sys, numpy, torch._dynamo
before = {*sys.modules}
sys.path[:0] = ["benchmarks", "."]
import tests.conftest, tests.training.conftest, tests.training.test_cuda, training
print(*{name.partition(".")[0] for name in {*sys.modules} - before})
"""


def test_it_packs_what_the_tests_and_the_benchmark_import() -> None:
    packed = re.search("(?s)needed='(.+?)'", (ROOT / "tools" / "gpu.sh").read_text("utf-8"))
    modules = subprocess.check_output([sys.executable, "-c", IMPORTS], cwd=ROOT, text=True).split()
    homes = packages_distributions()
    imported = {home.lower() for module in modules for home in homes.get(module, ())}
    assert packed
    assert "pandas" in imported
    assert imported <= {"numpy", "tinyvgg", "torch", *packed[1].split()}
