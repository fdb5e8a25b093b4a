#!/usr/bin/env bash
# bench.sh STORYTELLER: where the time of a story goes on this machine: one photo alone, then all test photos as one batch.
# Opening the bundle is not counted; the first call makes the caches, so it runs once before.
set -euo pipefail
PROGRAM=$1
ROOT=$(cd "$(dirname "$0")/.." && pwd)
PHOTOS=("$ROOT"/tests/fixtures/photos/*.jpg)

"$PROGRAM" tell "${PHOTOS[0]}" --json >/dev/null
for count in 1 ${#PHOTOS[@]}; do
  "$PROGRAM" tell "${PHOTOS[@]:0:$count}" --json 2>/dev/null | python3 -c '
import json, sys
told = [json.loads(line) for line in sys.stdin]
timings = {stage: seconds for stage, seconds in told[0]["timings"].items() if isinstance(seconds, (int, float))}
words = sum(len(story["story"].split()) for story in told)
stages = "  ".join(f"{stage} {seconds:.2f} s" for stage, seconds in timings.items())
print(f"{len(told)} at once: {stages}  ({words} words)")
'
done
