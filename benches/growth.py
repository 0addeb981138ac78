#!/usr/bin/env python3
"""How time and memory grow with hostile input: python3 benches/growth.py [--bin PATH] [--only NAME] [--scale N]

Makes each archive at a tenth of its size and at its size, scans both (from a pipe), and prints time, peak anonymous memory (RssAnon,
sampled every 2 ms), exit code, findings. What grows linearly takes ten times as long. Nothing but Python is needed.
"""
import argparse, base64, bz2, gzip, hashlib, io, json, lzma, os, re, subprocess, sys, tempfile, threading, time, zlib

WH = "." + "wh."
SECRET = b"key = " + b"AKIA" + b"Q3EGRI5ZOM7KXW2T" + b"\n"


def key(i):
    """One of 32^4 different secrets."""
    return b"AKIA" + b"Q3EGRI5ZOM7K" + bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[i >> 5 * j & 31] for j in range(4))


def header(name, kind=b"0", size=0, link=b"", mode=0o644):
    name, link = [x.encode() if isinstance(x, str) else x for x in (name, link)]
    out = b""
    if len(name) > 100:
        record = b" path=" + name + b"\n"
        n = len(record)
        while len(str(n)) + len(record) != n:
            n = len(str(n)) + len(record)
        data = str(n).encode() + record
        out = header("pax", b"x", len(data)) + pad(data)
        name = name[:100]
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"%07o\0" % mode
    block[124:136] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return out + bytes(block)


def pad(data):
    return data + b"\0" * (-len(data) % 512)


def entry(name, data=b"", kind=b"0", link=b""):
    return header(name, kind, len(data), link) + pad(data)


def image(layers, config=None):
    """Layers as lists of entries, or as stored bytes with the bytes that they unpack to."""
    stored = [l if isinstance(l, bytes) else b"".join(l) + bytes(1024) for l in layers]
    config = config or {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(l).hexdigest() for l in stored]},
                        "history": [{"created_by": "RUN %d" % i} for i in range(len(stored))]}
    names = ["%d/layer.tar" % i for i in range(len(stored))]
    out = [entry(n, l) for n, l in zip(names, stored)]
    text = json.dumps(config).encode()
    out.append(entry("c.json", text))
    out.append(entry("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": names}]).encode()))
    return b"".join(out) + bytes(1024)


def many(n, make):
    return [make(i) for i in range(n)]


def zeros_gz(megabytes):
    c = zlib.compressobj(9, zlib.DEFLATED, 31)
    out = [c.compress(header("zeros", size=megabytes << 20))]
    for _ in range(megabytes):
        out.append(c.compress(bytes(1 << 20)))
    out.append(c.compress(bytes(1024)))
    out.append(c.flush())
    return b"".join(out)


def zeros_zst(megabytes):
    p = subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    def feed():
        p.stdin.write(header("zeros", size=megabytes << 20))
        for _ in range(megabytes):
            p.stdin.write(bytes(1 << 20))
        p.stdin.write(bytes(1024))
        p.stdin.close()
    t = threading.Thread(target=feed)
    t.start()
    out = p.stdout.read()
    t.join()
    return out


def nested_json(n):
    return b"[" * n + b"]" * n


def deep_keys(n):
    return b'{"%s":' % (b"k" * (n // 100)) * 100 + json.dumps(["v"] * n).encode() + b"}" * 100


CASES = {
    "entries": (10**6, lambda n: image([many(n, lambda i: entry("d%d/f%d" % (i % 1000, i)))])),
    "entries with a secret": (10**5, lambda n: image([many(n, lambda i: entry("f%d" % i, SECRET + b"# %d" % i))])),
    "whiteouts": (10**6, lambda n: image([[entry("f", SECRET)], many(n, lambda i: entry("%sf%d" % (WH, i)))])),
    "files and whiteouts of them": (10**5, lambda n: image([many(n, lambda i: entry("d/f%d" % i, SECRET + b"# %d" % i)), many(n, lambda i: entry("d/%sf%d" % (WH, i)))])),
    "layers": (10**4, lambda n: image([[entry("f%d" % i)] for i in range(n)] + [[entry("f", SECRET)]])),
    "layers over many findings": (10**4, lambda n: image([many(3 * n, lambda i: entry("f%d" % i, SECRET + b"# %d" % i))] + [[entry("%sg%d" % (WH, i))] for i in range(n)])),
    "layers that rewrite one file": (10**4, lambda n: image([[entry("f", SECRET)] for i in range(n)])),
    "layers that change one file": (10**4, lambda n: image([[entry("f", SECRET + b"# %d" % i)] for i in range(n)])),
    "path components": (10**5, lambda n: image([[entry("a/" * n + "f", SECRET)], [entry("a/" * n + "g")], [entry("a/" * (n - 5) + WH + "x")]])),
    "files above each other": (3000, lambda n: image([many(n, lambda i: entry("a/" * i + "f", SECRET)) + many(n, lambda i: entry("a/" * i + "a"))])),
    "user xattrs": (10**6, lambda n: image([[xattrs(n // 1000, i) for i in range(1000)]])),
    "names twice": (10**6, lambda n: image([many(n, lambda i: entry("f", SECRET if i < 2 else b""))])),
    "copies of one file": (10**5, lambda n: image([many(n, lambda i: entry("f%d" % i, SECRET))])),
    "hard links to one file": (10**5, lambda n: image([[entry("f", SECRET)] + many(n, lambda i: entry("l%d" % i, b"", b"1", "f"))])),
    "hard links to a lower layer": (10**5, lambda n: image([[entry("f", SECRET)], many(n, lambda i: entry("l%d" % i, b"", b"1", "f"))])),
    "hard links to links": (10**5, lambda n: image([[entry("l0", SECRET)], many(n, lambda i: entry("l%d" % (i + 1), b"", b"1", "l%d" % i))])),
    "broken hard links": (10**6, lambda n: image([[entry("f", SECRET)], many(n, lambda i: entry("l%d" % i, b"", b"1", "x%d" % i))])),
    "symlinks": (10**6, lambda n: image([[entry("f", SECRET)], many(n, lambda i: entry("l%d" % i, b"", b"2", "x%d" % i)), [entry("l%d/y" % i) for i in range(1000)]])),
    "climbing names": (10**6, lambda n: image([many(n, lambda i: entry("../f%d" % i))])),
    "pax headers in a row": (10**6, lambda n: image([many(n, lambda i: entry("p", b"9 a=bcde\n", b"x")) + [entry("f", SECRET)]])),
    "images that share a layer": (5000, lambda n: shared(n)),
    "findings in one line": (10**5, lambda n: image([[entry("f", b" ".join(key(i) for i in range(n)))]])),
    "documents nobody names": (10**5, lambda n: image([[entry("f", SECRET)]])[:-1024] + b"".join(many(n, lambda i: entry("x%d.json" % i, b'{"a":"b"}'))) + bytes(1024)),
    "members that are tars": (10**4, lambda n: image([[entry("f", SECRET)]])[:-1024] + b"".join(many(n, lambda i: entry("x%d.tar" % i, entry("g", b"x")))) + bytes(1024)),
    "depth of JSON": (10**6, lambda n: image([[entry("f", SECRET)]])[:-1024] + entry("index.json", nested_json(n)) + bytes(1024)),
    "gzip bomb (MiB)": (8000, lambda n: bomb(zeros_gz(n))),
    "zstd bomb (MiB)": (20000, lambda n: bomb(zeros_zst(n))),
    "symlinks, listed often": (10**4, lambda n: listed([[entry("f", SECRET)], many(10**5, lambda i: entry("l%d" % i, b"", b"2", "x%d" % i))], [0] + [1] * n)),
    "secrets, listed often": (10**4, lambda n: listed([secrets(30000)], [0] * n)),
    "secrets and whiteouts, listed often": (10**4, lambda n: listed([secrets(30000), many(30000, lambda i: entry("%sf%d" % (WH, i)))], [0, 1] * (n // 2))),
    "file as a layer, listed often": (10**4, lambda n: listed([b"\n".join(key(i) for i in range(30000))], [0] * n)),
    "broken hard links, listed often": (10**4, lambda n: listed([[entry("f", SECRET)], many(10**5, lambda i: entry("l%d" % i, b"", b"1", "x%d" % i))], [0] + [1] * n)),
    "entries, listed often": (10**4, lambda n: listed([[entry("f", SECRET)], many(10**5, lambda i: entry("l%d" % i))], [0] + [1] * n)),
    "hard links, listed often": (10**4, lambda n: listed([[entry("f", SECRET)] + many(10**5, lambda i: entry("l%d" % i, b"", b"1", "f"))], [0] * n)),
    "symlinks above each other": (3000, lambda n: image([many(n, lambda i: entry("a/" * i + "a", b"", b"2", "b")), many(n, lambda i: entry("a/" * i + "f", SECRET))])),
    "values under a long key": (10**5, lambda n: image([[entry("f", SECRET)]])[:-1024] + entry("x.json", json.dumps({"k" * (10 * n): ["v"] * n}).encode()) + bytes(1024)),
    "values under deep keys": (10**5, lambda n: image([[entry("f", SECRET)]])[:-1024] + entry("x.json", deep_keys(n)) + bytes(1024)),
    "directories of one name": (10**6, lambda n: image([many(n, lambda i: entry(key(0).decode(), b"", b"5"))])),
    "findings in base64 of one line": (2 * 10**4, lambda n: image([[entry("f", b" ".join(key(i) for i in range(n)) + b"\n" + base64.b64encode(b" ".join(key(n + i) for i in range(n))))]])),
    "findings in one long name": (5 * 10**4, lambda n: image([[entry("d/" * 120000 + "f", b" ".join(key(i) for i in range(n)))]])),
    "known values in one instruction": (10**5, lambda n: listed([[entry("f%d" % i, key(i)) for i in range(n)]], [0], [{"created_by": "RUN echo " + " ".join(key(i).decode() for i in range(n))}])),
    "variables of one name": (10**5, lambda n: config(env=["A=%d" % i for i in range(n)], history=[{"created_by": "ENV A=x%d" % i, "empty_layer": True} for i in range(n)])),
    "v1 images in a chain": (10**4, lambda n: v1_chain(n)),
    "secrets in a long attribute": (2000, lambda n: image([[pax({b"SCHILY.xattr.user." + b"a" * 900000: b" ".join(key(i) for i in range(n))}), entry("f")]])),
    "attributes of a long path": (30000, lambda n: image([[header("p", b"x", len(d)) + pad(d) + entry("f") for d in [record(b"path", b"d/" * 120000 + b"f") + record(b"SCHILY.xattr.a", b"b") * n]], [entry("f", SECRET)]])),
    "copies with long names": (500, lambda n: image([[entry(b"d/" * 120000 + b"x%d" % i, b" ".join(key(j) for j in range(n))) for i in range(21)]])),
    "tags": (10**5, lambda n: tags(n)),
    "names of one manifest": (9000, lambda n: oci_names(n, 50000)),
    "names of one artifact": (3000, lambda n: oci_names(n, 1, "x" * 10**6)),
    "members of one name": (20000, lambda n: b"".join(many(n, lambda i: entry("l", b"x"))) + image([[entry("f", SECRET)]])[:-1024] + entry("manifest.json", json.dumps([{"Config": "c.json", "Layers": ["l"] * n}]).encode()) + bytes(1024)),
    "long names": (10**4, lambda n: bomb(gzip.compress(b"".join(entry(b"d/" * 130000 + b"%d" % (i % 10)) for i in range(n)), 1))),
    "empty zstd frames": (5 * 10**6, lambda n: bomb(gzip.compress(bytes.fromhex("28b52ffd2000010000") * n, 1))),
    "lz4 blocks": (3 * 10**6, lambda n: bomb(gzip.compress(bytes.fromhex("04224d18404000") + (65536 | 1 << 31).to_bytes(4, "little") + bytes(65536) + bytes.fromhex("020000001061") * n + bytes(4), 1))),
    "private keys": (1000, lambda n: image([many(n, lambda i: entry("k%d" % i, pem(i)))])),
    "secrets in one instruction": (5 * 10**5, lambda n: config([], [{"created_by": "RUN " + " ".join(key(i).decode() for i in range(n))}])),
    "secrets nobody refers to": (16, lambda n: image([[entry("f", SECRET)]])[:-1024] + b"".join(many(n, lambda j: entry("t%d" % j, entry("f", b"\n".join(key(50000 * j + i) for i in range(50000)))))) + bytes(1024)),
    "images that share a config": (3000, lambda n: sharing(n, 4 << 20)),
    "findings of a long instruction": (3 * 10**4, lambda n: listed([secrets(n)], [0], [{"created_by": "RUN " + "x" * 10**6}])),
    "findings of many instructions": (3 * 10**4, lambda n: listed([secrets(n)], [0], [{"created_by": "RUN x%d" % i, "empty_layer": True} for i in range(n)] + [{"created_by": "RUN y"}])),
    "file system: files": (10**6, lambda n: b"".join([entry("etc/a", SECRET)] + many(n, lambda i: entry("usr/d%d/f%d" % (i % 1000, i), b"x"))) + bytes(1024)),
}


def record(key, value):
    text = b" " + key + b"=" + value + b"\n"
    size = len(text)
    while len(str(size)) + len(text) != size:
        size = len(str(size)) + len(text)
    return str(size).encode() + text


def pax(records):
    data = b"".join(record(key, value) for key, value in records.items())
    return header("pax", b"x", len(data)) + pad(data)


def xattrs(n, i):
    return pax({b"SCHILY.xattr.user.a%d" % j: b"%d" % i for j in range(n)}) + entry("f%d" % i)


def pem(i):
    """A private key of 15 KB, or what looks like one."""
    body = base64.b64encode(b"\x30\x82" + b"".join(hashlib.sha256(b"%d %d" % (i, j)).digest() for j in range(350)))
    lines = b"\n".join(body[j : j + 64] for j in range(0, len(body), 64))
    return b"-----BEGIN " + b"PRIVATE KEY-----\n" + lines + b"\n-----END " + b"PRIVATE KEY-----\n"


def tags(n):
    layer = entry("f", SECRET) + bytes(1024)
    items = [{"Config": "c.json", "RepoTags": ["%s%d" % (name, i) for i in range(n)], "Layers": ["l"]} for name in "ab"]
    config = {"os": "linux", "rootfs": {"diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    return entry("l", layer) + entry("c.json", json.dumps(config).encode()) + entry("manifest.json", json.dumps(items).encode()) + bytes(1024)


def oci_names(n, layers, kind=None):
    """A manifest under many names; of an artifact of this type, if there is one."""
    layer = entry("f", SECRET) + bytes(1024)
    config = json.dumps({"os": "linux", "rootfs": {"diff_ids": []}}).encode()
    blobs = {"sha256:" + hashlib.sha256(b).hexdigest(): b for b in (layer, config)}
    of_layer, of_config = list(blobs)
    manifest = {"schemaVersion": 2, "config": {"digest": of_config}, "layers": [{"digest": of_layer}] * layers}
    manifest = {**manifest, "config": {"digest": of_layer, "mediaType": "x"}, "artifactType": kind} if kind else manifest
    text = json.dumps(manifest).encode()
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    blobs[digest] = text
    index = {"manifests": [{"digest": digest, "annotations": {"org.opencontainers.image.ref.name": "%d" % i}} for i in range(n)]}
    return b"".join(entry("blobs/" + d.replace(":", "/"), b) for d, b in blobs.items()) + entry("index.json", json.dumps(index).encode()) + bytes(1024)


def shared(n):
    layer = b"".join(many(1000, lambda i: entry("f%d" % i, SECRET if i < 20 else b"x"))) + bytes(1024)
    diff = "sha256:" + hashlib.sha256(layer).hexdigest()
    out, items = [entry("l", layer)], []
    for i in range(n):
        out.append(entry("%d.json" % i, json.dumps({"os": "linux", "n": i, "rootfs": {"diff_ids": [diff]}, "history": []}).encode()))
        items.append({"Config": "%d.json" % i, "RepoTags": None, "Layers": ["l"]})
    return b"".join(out) + entry("manifest.json", json.dumps(items).encode()) + bytes(1024)


def listed(layers, order, history=()):
    """An image that lists some of its layers often: `order` are indices into `layers`."""
    stored = [l if isinstance(l, bytes) else b"".join(l) + bytes(1024) for l in layers]
    diffs = ["sha256:" + hashlib.sha256(l).hexdigest() for l in stored]
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [diffs[i] for i in order]}, "history": list(history)}
    item = {"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["%d" % i for i in order]}
    members = [entry("%d" % i, l) for i, l in enumerate(stored)]
    return b"".join(members) + entry("c.json", json.dumps(config).encode()) + entry("manifest.json", json.dumps([item]).encode()) + bytes(1024)


def v1_chain(n):
    """Docker v1 images in one chain, each with a tag."""
    ids = [json.dumps({"id": str(i), "parent": str(i - 1) if i else ""}).encode() for i in range(n)]
    members = [entry("%d/json" % i, text) + entry("%d/layer.tar" % i, entry("f", SECRET) + bytes(1024)) for i, text in enumerate(ids)]
    return b"".join(members) + entry("repositories", json.dumps({"x": {"t%d" % i: str(i) for i in range(n)}}).encode()) + bytes(1024)


def config(env, history):
    text = {"os": "linux", "rootfs": {"diff_ids": []}, "config": {"Env": env}, "history": history}
    return image([[entry("f", SECRET)]], text)


def sharing(n, size):
    """Images that share a large config, and differ in their layers."""
    layers = [entry("f%d" % i, SECRET) + bytes(1024) for i in range(n)]
    config = {"os": "linux", "rootfs": {"diff_ids": []}, "history": [{"created_by": "RUN " + "x" * 100, "empty_layer": True}] * (size // 130)}
    items = [{"Config": "c.json", "RepoTags": None, "Layers": ["%d" % i]} for i in range(n)]
    members = [entry("%d" % i, l) for i, l in enumerate(layers)]
    return b"".join(members) + entry("c.json", json.dumps(config).encode()) + entry("manifest.json", json.dumps(items).encode()) + bytes(1024)


def secrets(n):
    return many(n, lambda i: entry("f%d" % i, SECRET + b"# %d" % i))


def bomb(packed):
    config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "0" * 64] * 2}, "history": []}
    return image([packed, [entry("f", SECRET)]], config)


def measure(binary, path):
    start = time.time()
    with open(path, "rb") as f:
        p = subprocess.Popen([binary, "scan", "-", "--quiet", "--format", "json"], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out = []
        reader = threading.Thread(target=lambda: out.append(p.stdout.read()))
        reader.start()
        peak = 0
        while p.poll() is None:
            try:
                m = re.search(r"RssAnon:\s+(\d+)", open("/proc/%d/status" % p.pid).read())
                peak = max(peak, int(m.group(1)) if m else 0)
            except OSError:
                pass
            time.sleep(0.002)
        reader.join()
    took = time.time() - start
    try:
        report = json.loads(out[0])
        said = "%d findings%s" % (len(report["findings"]), "".join(", " + c for c in sorted({p["code"] for p in report["problems"]})))
    except ValueError:
        said = p.stderr.read().decode()[:80]
    return took, peak / 1024, p.returncode, said, len(out[0])


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--bin", default="target/release/pentimento")
    a.add_argument("--only")
    a.add_argument("--scale", type=float, default=1.0)
    a = a.parse_args()
    print("%-32s %9s %10s %8s %8s %9s %5s  %s" % ("what", "how many", "archive", "seconds", "peak MB", "report", "exit", "found"))
    with tempfile.TemporaryDirectory() as tmp:
        for name, (n, make) in CASES.items():
            if a.only and a.only not in name:
                continue
            for count in (max(int(n * a.scale) // 10, 1), int(n * a.scale)):
                path = os.path.join(tmp, "image.tar")
                data = make(count)
                open(path, "wb").write(data)
                took, peak, code, said, size = measure(a.bin, path)
                print("%-32s %9d %7.1f MB %8.2f %8.1f %6.1f MB %5d  %s" % (name, count, len(data) / 1e6, took, peak, size / 1e6, code, said))
                sys.stdout.flush()


main()
