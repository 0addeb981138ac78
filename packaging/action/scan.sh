#!/usr/bin/env bash
# The action's second step: scans, writes SARIF and the step summary, and passes the exit code on.
set -euo pipefail
read -r -a targets <<<"${INPUT_TARGET//$'\n'/ }"
read -r -a more <<<"${INPUT_ARGS//$'\n'/ }"
[ -z "${INPUT_DOCKERFILE:-}" ] || more+=(--dockerfile "$INPUT_DOCKERFILE")
summary=$(mktemp)
json=$(mktemp)
code=0
"$PENTIMENTO" scan "${targets[@]}" -o "sarif:$INPUT_SARIF" -o "markdown:$summary" -o "json:$json" "${more[@]}" || code=$?
[ ! -s "$summary" ] || cat "$summary" >>"$GITHUB_STEP_SUMMARY"
verdict=$(sed -n 's/^  "verdict": "\([a-z]*\)",$/\1/p' "$json" | head -1)
{
  echo "sarif=$INPUT_SARIF"
  echo "verdict=${verdict:-failed}"
} >>"$GITHUB_OUTPUT"
case $code in
  0) ;;
  1) echo "::error::pentimento found secrets in ${targets[*]}: see the summary" ;;
  3) echo "::error::not everything in ${targets[*]} could be read" ;;
  *) echo "::error::pentimento failed with exit code $code" ;;
esac
exit "$code"
