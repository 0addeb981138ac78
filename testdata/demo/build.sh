#!/bin/sh
# Builds demo.tar with a real Docker engine (classic builder). Every secret is made up here, with the right shape and checksum.
#   sh testdata/demo/build.sh    needs docker, busybox-static, python3, ssh-keygen
set -eu
here=$(cd "$(dirname "$0")" && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" /bin/busybox "$context"
mkdir -p "$context/app" "$context/dirs/tmp" "$context/dirs/root"
printf '#!/bin/sh\necho hello\n' > "$context/app/main.sh"
ssh-keygen -q -t ed25519 -N '' -C demo -f "$context/app/deploy_key" && rm "$context/app/deploy_key.pub"
python3 - "$context" <<'PY'
import sys, zlib, hashlib
B62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
def pick(name, n, alphabet=B62):
    h = hashlib.shake_256(b"pentimento demo " + name.encode()).digest(n)
    return "".join(alphabet[b % len(alphabet)] for b in h)
def with_sum(prefix, name):
    body, s = pick(name, 30), ""
    n = zlib.crc32(body.encode())
    while n: s, n = B62[n % 62] + s, n // 62
    return prefix + body + s.rjust(6, "0")
with open(sys.argv[1] + "/app/.env", "w") as f:
    f.write("APP_ENV=production\nGITHUB_TOKEN=%s\nSTRIPE_SECRET_KEY=%s\nDB_PASSWORD=%s\n" % (
        with_sum("gh" + "p_", "github"), "sk" + "_live_" + pick("stripe", 24), pick("db", 16, B62 + "!#%*")))
open(sys.argv[1] + "/npm", "w").write(with_sum("np" + "m_", "npm"))
PY
token=$(cat "$context/npm") && rm "$context/npm"
DOCKER_BUILDKIT=0 docker build -q --network=none --build-arg NPM_TOKEN="$token" -t demo:1 "$context"
docker save demo:1 -o "$here/demo.tar"
