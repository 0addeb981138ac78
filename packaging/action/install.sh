#!/usr/bin/env bash
# The action's first step: finds or downloads pentimento. Downloads are compared with the checksums of their release.
# (It runs on macOS, too, whose bash is 3.2 and which may have no sha256sum, and in the bash of Git for Windows.)
set -euo pipefail
fail() {
  echo "::error::$1"
  exit 2
}
if [ -n "${INPUT_BINARY:-}" ]; then
  binary=$(command -v "$INPUT_BINARY") || fail "there is no program $INPUT_BINARY"
  echo "binary=$binary" >>"$GITHUB_OUTPUT"
  exit
fi
program=pentimento
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) target=x86_64-unknown-linux-musl ;;
  Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
  Darwin-arm64) target=aarch64-apple-darwin ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  MINGW*-x86_64 | MSYS*-x86_64) target=x86_64-pc-windows-msvc program=pentimento.exe ;;
  *) fail "there is no release for $(uname -sm)" ;;
esac
case "${INPUT_VERSION:-latest}" in
  latest) from=$RELEASES/latest/download ;;
  *) from=$RELEASES/download/$INPUT_VERSION ;;
esac
# What is in RUNNER_TEMP goes with the job.
folder=${RUNNER_TEMP:-${TMPDIR:-/tmp}}
if command -v cygpath >/dev/null; then folder=$(cygpath -u "$folder"); fi
folder=$(mktemp -d "$folder/pentimento.XXXXXX")
archive=pentimento-$target.tar.gz
for name in "$archive" SHA256SUMS; do
  curl -fsSL --retry 3 -o "$folder/$name" "$from/$name" || fail "$from/$name cannot be downloaded"
done
if command -v sha256sum >/dev/null; then
  found=$(sha256sum <"$folder/$archive")
else
  found=$(shasum -a 256 <"$folder/$archive")
fi
released=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$folder/SHA256SUMS")
[ "${found%% *}" = "$released" ] || fail "$from/$archive is not what was released: its SHA-256 is ${found%% *}, and should be ${released:-in SHA256SUMS}"
tar -xzf "$folder/$archive" -C "$folder" --strip-components=1
echo "binary=$folder/$program" >>"$GITHUB_OUTPUT"
