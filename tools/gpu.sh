#!/bin/sh
# Tests and measures training on a GPU, on a machine that has Python, PyTorch and NumPy, but no network.
#
#   tools/gpu.sh pack         here: fetches what is lacking there, into build/gpu
#   tools/gpu.sh run [INTO]   there: takes ten minutes at most, and keeps all that is printed in INTO
#
# Python there is 3.12 on a processor of the x86-64 kind, unless FOR=3.13 or so is set for `pack`. For
# `run`, DEVICE=cpu tries the way without a GPU; SIZE, IMAGES and STEPS make it shorter, PYTHON names
# another Python. Without build/gpu the packages that are installed are used.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
needed='beartype iniconfig jaxtyping packaging pandas pillow pluggy pygments pytest python-dateutil
    safetensors six tqdm typing-extensions wadler-lindig'

pack() {
    # shellcheck disable=SC2086  # one word each
    wheels=$(printf '%s\n' $needed | sed 's/.*/^&==/' | grep -f - requirements.lock | cut -d ' ' -f 1)
    platforms=$(printf -- '--platform manylinux%s_x86_64 ' 1 2014 _2_17 _2_24 _2_27 _2_28)
    rm -rf build/gpu
    # shellcheck disable=SC2086  # several words each
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --implementation cp \
        --python-version "${FOR:-3.12}" $platforms --dest build/gpu $wheels
    du -sh build/gpu
}

# limited NAME SECONDS COMMAND...: run a command for so long at most, or for as long as is left
limited() {
    name=$1 most=$2 left=$((end - $(date +%s)))
    shift 2
    if [ "$left" -lt 10 ]; then echo "== $name: no time is left"; return; fi
    echo "== $name"
    timeout -k 5 "$((most < left ? most : left))" "$@" >"$into/$name.txt" 2>&1 ||
        echo "exit status $? (124: it took too long)" >>"$into/$name.txt"
    cat "$into/$name.txt"
}

measure() {
    name=$1 precision=$2 seconds=$3
    shift 3
    limited "$name" "$seconds" "$python" benchmarks/training.py --device "${DEVICE:-cuda}" \
        --precision "$precision" --size "${SIZE:-224}" --batch 12 --images "${IMAGES:-2400}" \
        --rounds 1 --steps "$@"
}

run() {
    end=$(($(date +%s) + 560))
    into=${1:-build/gpu-measured}
    site=$(mktemp -d)
    trap 'rm -rf "$site"' EXIT
    mkdir -p "$into"
    if ls build/gpu/*.whl >/dev/null 2>&1; then
        "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir \
            --target "$site" build/gpu/*.whl
    fi
    PYTHONPATH="$site:$PWD" PYTHONUNBUFFERED=1
    export PYTHONPATH PYTHONUNBUFFERED
    # another PyTorch may warn of other things
    limited tests 120 \
        "$python" -m pytest -v -p no:cacheprovider -o filterwarnings= tests/training/test_cuda.py
    for precision in float32 tf32 bfloat16; do
        # shellcheck disable=SC2086  # several words
        measure "$precision" "$precision" 120 ${STEPS:-eager fused captured}
    done
    # these may have to be compiled for minutes
    for precision in tf32 bfloat16; do
        measure "$precision-compiled" "$precision" 150 compiled
    done
}

case "${1:-}" in
pack) pack ;;
run) shift && run "$@" ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" && exit 2 ;;
esac
