"""What `import tinyvgg` offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tinyvgg


def test_every_name_is_there_and_comes_from_where_type_checkers_think():
    stub = ast.parse(Path(tinyvgg.__file__).with_suffix(".pyi").read_text())
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    listed = {alias.name: node.module for node in imports for alias in node.names}
    assert set(listed) == set(tinyvgg.__all__)
    for name, module in listed.items():
        assert getattr(tinyvgg, name) is getattr(sys.modules[module], name)
    assert set(tinyvgg.__all__) <= set(dir(tinyvgg))
    with pytest.raises(AttributeError, match="no attribute 'explain_everything'"):
        tinyvgg.explain_everything  # noqa: B018


def test_faces_need_no_torch_and_the_core_nothing_but_torch_numpy_and_the_shapes_of_signatures():
    """Modules of other packages that come with the core beyond those that torch itself brings."""
    code = (
        "import sys, synthfaces; assert 'torch' not in sys.modules;"
        "import torch, torch.fx, numpy, jaxtyping; before = set(sys.modules);"
        "import tinyvgg; tables = tinyvgg._HOMES['diagnosis'];"
        "[getattr(tinyvgg, name) for name in tinyvgg.__all__ if name not in tables];"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"tinyvgg", "torch", "numpy", "jaxtyping"}
