#!/usr/bin/env bash
# libtorch 2.11.0 for the CPU: C++ headers and shared objects out of three PyPI wheels, no Python at run time.
# `.libtorch` in the clone points at it; .cargo/config.toml and build.rs read it there.
#   LIBTORCH_FULL=1   also unpack the CUDA parts of the torch wheel (another 1 GB on disk)
STEP=libtorch
. "$(dirname "$0")/wheel.sh"

VERSION=2.11.0
PLACE=$CACHE/libtorch-$VERSION
STAMP="$VERSION cpu${LIBTORCH_FULL:+ full} v2"

point_at() { # the clone's link; a folder or a file of that name is someone's own and stays
  local link=$ROOT/.libtorch
  if [ -e "$link" ] && [ ! -L "$link" ]; then return; fi
  if [ "$(readlink "$link" || true)" != "$1" ]; then ln -sfn "$1" "$link"; fi
}

if [ -n "${LIBTORCH:-}" ]; then
  say "LIBTORCH is set: using $LIBTORCH"
  exit 0
fi
if [ "$(cat "$PLACE/.stamp" 2>/dev/null)" = "$STAMP" ] && [ -f "$PLACE/lib/libtorch_cpu.so" ]; then
  point_at "$PLACE"
  say "ready ($VERSION)"
  exit 0
fi

need_linux_x86 "Elsewhere unpack libtorch $VERSION yourself and set LIBTORCH to its folder."
need gcc "gcc g++"
need c++ "gcc g++"
work_folder
fetch torch $VERSION 0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756 530
fetch nvidia-cuda-runtime 13.0.96 7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548 3
fetch nvidia-cuda-cupti 13.0.85 4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8 11

# The CPU half of the wheel links two small CUDA libraries, so they come along; the rest of CUDA does not.
LIBTORCH_FULL=${LIBTORCH_FULL:-} python3 - "$WORK" <<'PY'
import os, pathlib, shutil, sys, zipfile
work = pathlib.Path(sys.argv[1])
full = bool(os.environ["LIBTORCH_FULL"])
wanted = {"libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"}

def place(name):
    base = os.path.basename(name)
    if name.startswith("torch/include/"):
        return name.removeprefix("torch/")
    in_cuda = full and name.startswith("torch/lib/") and ".so" in base and "python" not in base and "libshm" not in base
    if base in wanted or in_cuda:
        return "lib/" + base
    if ".dist-info/" in name and base in ("LICENSE", "NOTICE", "License.txt"):
        return "licenses/" + name.split("-")[0] + "-" + base
    return None

for wheel in (work / "wheels").glob("*.whl"):
    with zipfile.ZipFile(wheel) as z:
        for info in z.infolist():
            target = None if info.is_dir() else place(info.filename)
            if target:
                path = work / "out" / target
                path.parent.mkdir(parents=True, exist_ok=True)
                with z.open(info) as source, open(path, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
PY
echo "$VERSION" >"$WORK/out/build-version" # torch-sys compares it with the version it was made for
if [ -z "${LIBTORCH_FULL:-}" ]; then
  # torch-sys asks the linker for -ltorch; the wheel's own libtorch.so would pull in all of CUDA.
  echo | gcc -x c - -shared -fPIC -Wl,-soname,libtorch.so -o "$WORK/out/lib/libtorch.so"
fi
echo "$STAMP" >"$WORK/out/.stamp"
rm -rf "$PLACE"
mv "$WORK/out" "$PLACE"
point_at "$PLACE"
say "$VERSION installed in $PLACE ($(size "$PLACE"), $(seconds))"
