#!/usr/bin/env bash
# check-gpu.sh PROGRAM [FOLDER]: what holds on a graphics card, in about three minutes. PROGRAM is a release build of `storyteller`,
# FOLDER holds a libtorch 2.11.0 with its CUDA half (torch/lib of a Python environment; found by python3 if not given).
# Compares every number of the original, tells stories alone and in company, measures, and lets an adapter learn for a moment.
set -euo pipefail
cd "$(dirname "$0")/.."
PROGRAM=$(realpath "${1:?usage: $0 PROGRAM [FOLDER]}")
FOLDER=${2:-$(python3 -c 'import importlib.util as u, os; print(os.path.join(os.path.dirname(u.find_spec("torch").origin), "lib"))')}
DEVICE=${DEVICE:-cuda}
[ "$DEVICE" = cpu ] || [ -e "$FOLDER/libtorch_cuda.so" ] || { echo "$FOLDER has no libtorch_cuda.so: name the lib folder of a torch 2.11.0 for CUDA" >&2; exit 2; }
export LD_LIBRARY_PATH="$FOLDER${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
CACHE=${STORYTELLER_CACHE:-$HOME/.cache/storyteller}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
failed=0
tell() { "$PROGRAM" tell --device "$DEVICE" --seed 7 --json "$@" 2>>"$WORK/log"; }
check() { # check NAME COMMAND…
  local begun=$SECONDS
  if "${@:2}" >"$WORK/out" 2>&1; then echo "ok      $1 ($((SECONDS - begun)) s)"; else
    failed=1
    echo "FAILED  $1 ($((SECONDS - begun)) s)"
    tail -20 "$WORK/out" | cut -c1-300
  fi
}
company() { # a story is the same alone and among others, to the letter
  tell tests/fixtures/photos/dogs.jpg >"$WORK/alone.json"
  tell tests/fixtures/photos/*.jpg >"$WORK/all.json"
  python3 - "$WORK" <<'P'
import json, sys
stories = [[json.loads(line)["story"] for line in open(f"{sys.argv[1]}/{name}.json")] for name in ("alone", "all")]
print(stories[0][0])
sys.exit(0 if len(stories[0][0]) > 100 and stories[0][0] in stories[1] else 1)
P
}
learning() { # a few updates of an adapter, from two books that are made here
  mkdir -p "$WORK/books/tale"
  python3 - "$WORK/books/tale" <<'P'
import random, sys
random.seed(1)
who, does, where = ["dog", "horse", "boat", "child", "train", "bird"], ["waited", "slept", "turned", "stood"], ["river", "road", "garden", "beach"]
line = lambda: f"The {random.choice(who)} {random.choice(does)} beside the {random.choice(where)}, and the light lay long and quiet over the old stones there."
for name in ("one", "two"):
    open(f"{sys.argv[1]}/{name}.txt", "w").write("\n\n".join(" ".join(line() for _ in range(5)) for _ in range(80)))
P
  "$PROGRAM" train decoder --base "$CACHE/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf" --books "$WORK/books" \
    --out "$WORK/learnt" --updates 30 --batch 16 --at-once 16 --device "$DEVICE" --precision bf16
}
check "every number of the original" "$PROGRAM" check-parity models/tests/golden/tiny --device "$DEVICE"
check "a story alone and in company" company
head -1 "$WORK/out" | fold -s -w 120
check "measurements" "$PROGRAM" bench tests/fixtures/photos/*.jpg --device "$DEVICE" --batch "${BATCH:-1,8,64,128}" --threads 1
cat "$WORK/out"
check "an adapter learns" learning
exit $failed
