#!/usr/bin/env bash
# The action's second step: scans, writes SARIF and the step summary, and passes the exit code on.
set -euo pipefail
# Words, of one line or several. (The bash of macOS takes an empty array for one that is not set: hence ${more[@]+…}.)
read -r -d '' -a targets <<<"$INPUT_TARGET" || true
read -r -d '' -a more <<<"${INPUT_ARGS:-}" || true
[ -z "${INPUT_DOCKERFILE:-}" ] || more+=(--dockerfile "$INPUT_DOCKERFILE")
if [ ${#targets[@]} -eq 0 ]; then
  echo "::error::there is no target"
  exit 2
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
reports=$folder
if command -v cygpath >/dev/null; then
  # Git for Windows would take `markdown:/tmp/…` for a list of paths.
  reports=$(cygpath -m "$folder")
  export MSYS_NO_PATHCONV=1 MSYS2_ARG_CONV_EXCL='*'
fi
code=0
"$PENTIMENTO" scan "${targets[@]}" -o "sarif:$INPUT_SARIF" -o "markdown:$reports/summary.md" -o "json:$reports/report.json" ${more[@]+"${more[@]}"} || code=$?
[ ! -s "$folder/summary.md" ] || cat "$folder/summary.md" >>"$GITHUB_STEP_SUMMARY"
verdict=failed
if [ -s "$folder/report.json" ]; then
  verdict=$(sed -n 's/^  "verdict": "\([a-z]*\)",$/\1/p' "$folder/report.json")
  echo "sarif=$INPUT_SARIF" >>"$GITHUB_OUTPUT"
fi
echo "verdict=$verdict" >>"$GITHUB_OUTPUT"
case $code-$verdict in
  0-*) ;;
  *-found) echo "::error::pentimento found secrets in ${targets[*]}: see the summary" ;;
  *-incomplete) echo "::error::not everything in ${targets[*]} could be read: see the summary" ;;
  *) echo "::error::pentimento failed with exit code $code" ;;
esac
exit "$code"
