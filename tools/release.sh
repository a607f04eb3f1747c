#!/bin/sh
# Build the source distribution, from that the wheel, and try each in an empty environment:
# tools/release.sh FOLDER [OPTIONS OF uv pip install, such as --torch-backend cpu]
set -eu
unset PYTHONPATH
mkdir -p "$1"; to=$(realpath "$1"); shift
cd "$(dirname "$0")/.."
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

uv build --quiet --no-build-isolation --python "$(command -v python)" --out-dir "$to"
sed -n '/^[a-zA-Z0-9]/s/ \\$//p' requirements.lock > "$work/constraints.txt"
{
    echo "import torch, tinyvgg"
    echo "torch.manual_seed(0)"
    echo "model, images = tinyvgg.TinyVGG(5, 32, maps=4, dense=(16,)).eval(), torch.rand(2, 3, 32, 32)"
    echo "true_class = model(images).argsort(1)[:, -2]"
    # the README's code of the core
    awk '/^```python/ { on = 1; code = ""; next }
         /^```/ { on = 0; if (code ~ /tinyvgg.record/) printf "%s", code; code = "" }
         on { code = code $0 "\n" }' README.md
    echo "print('repaired:', repaired.repaired.tolist())"
} > "$work/readme.py"

for package in "$to"/*.tar.gz "$to"/*.whl; do
    uv venv --quiet --clear --python "$(command -v python)" "$work/venv"
    uv pip install --quiet --python "$work/venv/bin/python" --constraint "$work/constraints.txt" "$@" "$package"
    (cd "$work" && venv/bin/tinyvgg --version && venv/bin/python readme.py)
    echo "tried: $(basename "$package")"
done
! grep -q "not released yet" CHANGELOG.md || echo "before you publish, date the version in CHANGELOG.md"
