#!/usr/bin/env bash
# The action's first step: finds or downloads pentimento. Downloads are compared with the checksums of their release.
set -euo pipefail
if [ -n "${INPUT_BINARY:-}" ]; then
  command -v "$INPUT_BINARY" >/dev/null || { echo "::error::there is no program $INPUT_BINARY"; exit 2; }
  echo "binary=$(command -v "$INPUT_BINARY")" >>"$GITHUB_OUTPUT"
  exit
fi
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) target=x86_64-unknown-linux-musl ;;
  Linux-aarch64) target=aarch64-unknown-linux-musl ;;
  Darwin-arm64) target=aarch64-apple-darwin ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  *) echo "::error::there is no release for $(uname -sm)"; exit 2 ;;
esac
case "${INPUT_VERSION:-latest}" in
  latest) from=$RELEASES/latest/download ;;
  *) from=$RELEASES/download/$INPUT_VERSION ;;
esac
folder=$(mktemp -d)
for name in "pentimento-$target.tar.gz" SHA256SUMS; do
  curl -fsSL --retry 3 -o "$folder/$name" "$from/$name"
done
(cd "$folder" && grep " pentimento-$target.tar.gz\$" SHA256SUMS | sha256sum -c - >/dev/null) || { echo "::error::the download is not what was released"; exit 2; }
tar -xzf "$folder/pentimento-$target.tar.gz" -C "$folder"
echo "binary=$folder/pentimento" >>"$GITHUB_OUTPUT"
