#!/usr/bin/env python3
"""`recover` against what was planted: every file that a truth set says holds a secret, byte for byte.

    tests/truth/recover.py TRUTH_DIR BINARY SHARED_TRUTH_DIR [PART_OF_NAME]

TRUTH_DIR is what make_truth.py wrote, SHARED_TRUTH_DIR where its reader.py is: an independent reader of the same archives (Python's tarfile).
For each image `recover --all --min-confidence low` writes a directory. A row of the truth is met by a file of that layer and path whose SHA-256 is that of
the bytes that the reader finds there; where the secret is in a member of an archive, an attribute or a coding, by a part of that path that holds it, or, if
the matcher does not find the secret at all, by `recover PATH --layer N`. Exits with 1 if a row is not met.
"""

import base64
import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

truth, binary, shared = sys.argv[1:4]
only = sys.argv[4] if len(sys.argv) > 4 else ""
sys.path.insert(0, shared)
import reader  # noqa: E402

rows = [json.loads(line) for line in open(os.path.join(truth, "truth.jsonl"))]
images = collections.defaultdict(list)
for row in rows:
    if row["kind"] == "secret" and only in row["image"]:
        images[row["image"]].append(row)


def parsed(path, wanted):
    store = reader.Store(path) if hasattr(reader, "Store") else reader.open_store(path)
    return {tuple(im["refs"]): reader.Image(store, im, wanted, None, {}) for im in reader.images(store)}


def raw_path(row):
    return base64.b64decode(row["path_b64"]) if "path_b64" in row else os.fsencode(row["path"])


def told_path(raw):
    """As reports write it: bytes that are not UTF-8 as \\xHH, and then every backslash twice."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def run(*arguments):
    return subprocess.run([binary, *arguments], capture_output=True)


count, missed = collections.Counter(), []
for name, wanted_rows in sorted(images.items()):
    target = os.path.join(truth, name)
    paths = {raw_path(row) for row in wanted_rows if row["path"] is not None}
    try:
        originals = [image for image in parsed(target, paths).values()]
    except Exception as error:
        print("the independent reader cannot read", name, error)
        continue
    by_layer = {layer.diff_id: layer for image in originals for layer in image.layers}
    configs = [image.config_raw for image in originals]
    with tempfile.TemporaryDirectory() as temporary:
        out = pathlib.Path(temporary, "out")
        made = run("recover", target, "--all", "-o", str(out), "--min-confidence", "low", "--quiet")
        if made.returncode != 0:
            missed.append((name, "recover --all", made.stderr.decode("utf-8", "replace")[:300]))
            continue
        manifest = json.loads((out / "recovered.json").read_text())
        files = collections.defaultdict(list)
        for entry in manifest["files"]:
            files[entry["diff_id"] if entry["part"] != "document" else None, entry["path"] if entry["part"] != "document" else None].append(entry)
        for row in wanted_rows:
            count[row["where"]] += 1
            secret = row["secret"].encode()
            if row["where"] != "layer":
                documents = [(out / entry["file"]).read_bytes() for entry in files[None, None]]
                if not any(document in configs and json.dumps(row["secret"])[1:-1].encode() in document for document in documents):
                    escaped = any(document in configs for document in documents)
                    missed.append((name, row["case"], row["where"], "in no recovered config" + (", but that is there" if escaped else "")))
                continue
            layer = by_layer[row["layer_diff_id"]]
            original = layer.by[raw_path(row)].data
            entries = files[row["layer_diff_id"], told_path(raw_path(row))]
            whole = [entry for entry in entries if not entry["inner"] and entry["part"] == "content"]
            digest = hashlib.sha256(original or b"").hexdigest()
            if any(entry["sha256"] == digest and hashlib.sha256((out / entry["file"]).read_bytes()).hexdigest() == digest for entry in whole):
                count["same bytes"] += 1
            elif any(secret in (out / entry["file"]).read_bytes() for entry in entries if entry not in whole):
                count["a part that holds it"] += 1
            else:
                got = run("recover", target, row["path"], "--layer", str(row["layer_index"]), "--quiet")
                if got.returncode == 0 and got.stdout == original:
                    count["same bytes, by path"] += 1
                else:
                    missed.append((name, row["case"], row["path"], row["layer_index"], got.stderr.decode("utf-8", "replace")[-200:]))

print(dict(count), "missed", len(missed))
for miss in missed[:40]:
    print("  MISSED", *miss)
sys.exit(1 if missed or not count else 0)
