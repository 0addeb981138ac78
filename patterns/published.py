#!/usr/bin/env python3
"""Collects fingerprints of published keys: credentials that are public knowledge.

A private key or a token that ships in a published package (a test certificate's
key, say) or stands in documentation is no leak when it turns up in an image. This
tool walks packages and writes one line for each such credential:

    <first 32 hex digits of the SHA-256 of the normalised secret>\t<what it is>

No secret is ever written, only its fingerprint.

Normalised means: of a private key block (PEM, OpenSSH, PGP), the base64 characters
between its BEGIN and END lines, without header lines (those with a ':'), white
space and escapes such as \\n; of every other secret, its bytes as they stand.
A key in source code is ambiguous where string pieces are joined with '+' (a base64
character too), so such a key gets a fingerprint for each way of reading it.

Usage, each command adding lines to a file of its own, which `merge` puts together:

    collect.py pypi   OUT LIST      packages by pip (source archives, else wheels)
    collect.py npm    OUT LIST      packages by npm pack
    collect.py debian OUT LIST      binary packages by apt-get download
    collect.py source OUT LIST      Debian source packages by apt-get source
    collect.py crates OUT LIST      crates, with all they depend on, by cargo fetch
    collect.py walk   OUT NAME PATH...   what is unpacked already, as package NAME
    collect.py plain  OUT FILE      lines of <secret>\t<what it is>
    collect.py merge  OUT IN...     sorted, without duplicates, less those in -FILE

LIST holds one package name a line ('#' starts a comment). A name with a '*' behind
it is fetched in several versions: the latest of each of its major releases.
Downloads go to $COLLECT_DIR (by default ./collect-tmp) and are deleted once walked.
"""

import base64
import bz2
import glob
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

WORK = os.path.abspath(os.environ.get("COLLECT_DIR", "collect-tmp"))
MAX_FILE = 256 << 20  # bytes: a larger file is not read
MAX_MEMBER = 96 << 20  # bytes: a larger archive member is not read
MAX_BLOCK = 60_000  # characters between BEGIN and END; a 16384-bit key has 13,000
MAX_DEPTH = 3  # archives inside archives
MAX_VERSIONS = {"pypi": 3, "npm": 7}  # of one package whose name has a '*'
MAX_LABEL = 60  # characters

# ---------------------------------------------------------------- private keys

# Go's sources write TESTING for PRIVATE, so that scanners leave their keys alone.
BEGIN = re.compile(rb"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3})(?:PRIVATE|TESTING) KEY( BLOCK)?-----")
END = re.compile(rb"-----(BEGIN|END) ")
# The base64 of "-----BEGIN": a PEM file that was encoded whole.
ENCODED = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/\s]{100,60000}={0,2}")
OPENSSH_MAGIC = "b3BlbnNzaC1rZXktdjE"

# What stands for another character in source code, JSON, XML or a URL.
ESCAPES = [
    (re.compile(r"\\+(?:[nrt]|012|015|x0[aAdD]|u000[aAdD])"), "\n"),
    (re.compile(r"&#(?:x0*[aAdD]|0*1[03]);|%0[aAdD]|<br ?/?>"), "\n"),
    (re.compile(r"\\+(?:u00|x)3[dD]|%3[dD]|&#(?:61|x3[dD]);"), "="),
    (re.compile(r"\\+(?:u00|x)2[bB]|%2[bB]|&#(?:43|x2[bB]);"), "+"),
    (re.compile(r"\\+(?:u00|x)2[fF]|%2[fF]|&#(?:47|x2[fF]);|\\+/"), "/"),
]
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]+")


def readings(body):
    """Every way to read the base64 text out of what stands between BEGIN and END.

    `body` is a str. The first reading is the naive one, which keeps every base64
    character; the others leave out what only joins pieces of source code.
    """
    pieces = quoted_pieces(body)
    for pattern, replacement in ESCAPES:
        body = pattern.sub(replacement, body)
        pieces = pattern.sub(replacement, pieces)
    found = []
    for text in (body, pieces):
        lines = [line for line in text.split("\n") if ":" not in line]
        tokens = [t for line in lines for t in NOT_BASE64.split(line)]
        found.append("".join(tokens))
        # A piece of nothing but these is a join or the start of a comment.
        found.append("".join(t for t in tokens if not re.fullmatch(r"[+/]{1,3}", t)))
    return list(dict.fromkeys(found))


def quoted_pieces(body):
    """What stands inside quotes, for a block that is written as several strings."""
    first = re.search(r"[\"'`]", body)
    if not first:
        return body
    quote = first.group()
    # BEGIN and END are in quotes themselves, so the body starts and ends inside one.
    return "".join((quote + body + quote).split(quote)[1::2])


def is_key(text, label, encrypted):
    """Whether base64 text can be a private key, not a placeholder or a piece of code."""
    if len(text) < 48:
        return False
    if "OPENSSH" in label:
        return text.startswith(OPENSSH_MAGIC)
    try:
        head = base64.b64decode(text[:8])
    except ValueError:
        return False
    if not head:
        return False
    if "PGP" in label:
        return head[0] & 0x80 != 0
    return encrypted or head[0] == 0x30


def key_bodies(data):
    """The normalised text of every private key block in `data` (bytes)."""
    for begin in BEGIN.finditer(data):
        end = END.search(data, begin.end(), begin.end() + MAX_BLOCK)
        if not end or end.group(1) != b"END":
            continue
        body = data[begin.end() : end.start()].decode("latin-1")
        label = begin.group().decode("latin-1")
        encrypted = "DEK-Info" in body
        texts = readings(body)
        if any(is_key(text, label, encrypted) for text in texts):
            # Readings that are too short lost the key; the rest may each be read so.
            longest = max(len(text) for text in texts)
            yield from (t.encode() for t in texts if len(t) >= max(48, longest // 2))
    for match in ENCODED.finditer(data):
        packed = re.sub(rb"\s", b"", match.group())
        try:
            plain = base64.b64decode(packed + b"=" * (-len(packed) % 4))
        except ValueError:
            continue
        yield from key_bodies(plain)


# ---------------------------------------------------------------------- tokens

# A literal that must be there, then the token's form. Only tokens whose form is
# unmistakable: whatever else is secret about a test's data is not recognisable.
TOKENS = [
    (rb"eyJ", rb"\beyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{16,1000}"),
    (rb"AKIA", rb"\bAKIA[A-Z0-9]{16}\b"),
    (rb"ASIA", rb"\bASIA[A-Z0-9]{16}\b"),
    (rb"AIza", rb"\bAIza[\w-]{35}(?![\w-])"),
    (rb"GOCSPX-", rb"\bGOCSPX-[\w-]{28}(?![\w-])"),
    (rb"ghp_", rb"\bghp_[A-Za-z0-9]{36}\b"),
    (rb"gho_", rb"\bgho_[A-Za-z0-9]{36}\b"),
    (rb"ghs_", rb"\bghs_[A-Za-z0-9]{36}\b"),
    (rb"ghu_", rb"\bghu_[A-Za-z0-9]{36}\b"),
    (rb"github_pat_", rb"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    (rb"glpat-", rb"\bglpat-[\w-]{20}(?![\w-])"),
    (rb"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
    (rb"pypi-AgEI", rb"\bpypi-AgEI[\w-]{50,300}"),
    (rb"sk_test_", rb"\bsk_test_[A-Za-z0-9]{16,120}\b"),
    (rb"sk_live_", rb"\bsk_live_[A-Za-z0-9]{16,120}\b"),
    (rb"rk_test_", rb"\brk_test_[A-Za-z0-9]{16,120}\b"),
    (rb"whsec_", rb"\bwhsec_[A-Za-z0-9+/]{24,80}={0,2}"),
    (rb"xox", rb"\bxox[abeoprs]-[A-Za-z0-9-]{20,200}"),
    (rb"hooks.slack.com/services/", rb"https://hooks\.slack\.com/services/T\w+/B\w+/\w{20,}"),
    (rb"SG.", rb"\bSG\.[\w-]{22}\.[\w-]{43}(?![\w-])"),
    (rb":AA", rb"\b[0-9]{8,10}:AA[\w-]{33}(?![\w-])"),
    (rb"AccountKey=", rb"(?<=AccountKey=)[A-Za-z0-9+/]{86}=="),
    (rb"hvs.", rb"\bhvs\.[\w-]{24,200}"),
    (rb"shpat_", rb"\bshpat_[0-9a-fA-F]{32}\b"),
    (rb"dop_v1_", rb"\bdop_v1_[0-9a-f]{64}\b"),
    (rb"AGE-SECRET-KEY-1", rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
]
TOKENS = [(literal, re.compile(form)) for literal, form in TOKENS]


def tokens(data):
    """Every token in `data` (bytes), without those that are filled with one character."""
    for literal, form in TOKENS:
        if literal in data:
            for match in form.finditer(data):
                if len(set(match.group())) > 10:
                    yield match.group()


# --------------------------------------------------------------------- walking


def contents(path, data, depth=0):
    """(path, bytes) of a file, or of all that an archive holds, nested ones too."""
    members = []
    try:
        if data[:4] == b"PK\x03\x04":
            members = zip_members(data)
        elif data[:3] == b"\x1f\x8b\x08":
            members = tar_or_one(gzip.GzipFile(fileobj=io.BytesIO(data)))
        elif data[:6] == b"\xfd7zXZ\x00":
            members = tar_or_one(lzma.LZMAFile(io.BytesIO(data)))
        elif data[:3] == b"BZh":
            members = tar_or_one(bz2.BZ2File(io.BytesIO(data)))
        elif data[257:262] == b"ustar":
            members = tar_members(tarfile.open(fileobj=io.BytesIO(data)))
        else:
            yield path, data
            return
        if depth >= MAX_DEPTH:
            return
        for name, inner in members:
            yield from contents(f"{path}/{name}" if name else path, inner, depth + 1)
    except Exception:
        # A damaged, encrypted or oddly packed archive, which test data has on purpose:
        # the unpackers raise about anything on these. Nothing is to be read from it.
        return


def zip_members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if not info.is_dir() and info.file_size <= MAX_MEMBER:
                yield info.filename, archive.read(info)


def tar_members(archive):
    with archive:
        for info in archive:
            if info.isfile() and info.size <= MAX_MEMBER:
                yield info.name, archive.extractfile(info).read()


def tar_or_one(stream):
    """A compressed tar's members, or the one file that is compressed."""
    head = stream.read(512)
    stream.seek(0)
    if head[257:262] == b"ustar":
        yield from tar_members(tarfile.open(fileobj=stream, mode="r|"))
    else:
        one = stream.read(MAX_MEMBER + 1)
        if len(one) <= MAX_MEMBER:
            yield "", one


TEST_PATH = re.compile(r"test|spec\b|fixture|vector|mock|fuzz|corpus|regress|/t/", re.I)
EXAMPLE_PATH = re.compile(r"example|sample|demo|docs?\b|tutorial|readme|\.md$|\.rst$", re.I)


def label(kind, path, name):
    """What a credential is, from where in the package it stands."""
    if TEST_PATH.search(path):
        text = f"test {kind} of {name}"
    elif EXAMPLE_PATH.search(path):
        text = f"example {kind} of {name}"
    else:
        text = f"{kind} shipped in {name}"
    return short(text)


def short(text):
    """The text, its middle left out where it is too long: a package's name is there."""
    if len(text) <= MAX_LABEL:
        return text
    end = text.rfind(" (") if text.endswith(")") else len(text)
    return text[: MAX_LABEL - 3 - len(text[end:])] + "..." + text[end:]


def fingerprint(secret):
    return hashlib.sha256(secret).hexdigest()[:32]


def walk(paths, name):
    """{fingerprint: what it is} of all that is under `paths`, as the package `name`."""
    found = {}
    for top in paths:
        files = [top] if os.path.isfile(top) else all_files(top)
        for file in files:
            try:
                if os.path.islink(file) or os.path.getsize(file) > MAX_FILE:
                    continue
                with open(file, "rb") as opened:
                    data = opened.read()
            except OSError:
                continue
            inside = file[len(os.path.dirname(top.rstrip("/"))) :]
            for path, inner in contents(inside, data):
                for key in key_bodies(inner):
                    found.setdefault(fingerprint(key), label("key", path, name))
                for token in tokens(inner):
                    found.setdefault(fingerprint(token), label("token", path, name))
    return found


def all_files(top):
    for folder, folders, files in os.walk(top):
        folders.sort()
        yield from (os.path.join(folder, file) for file in sorted(files))


# -------------------------------------------------------------------- fetching


def run(command, timeout=240, **options):
    """A command's standard output, or None where it failed or took too long."""
    try:
        done = subprocess.run(
            command, timeout=timeout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, text=True, **options,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def some_versions(versions, most):
    """Of versions, oldest first, the latest of each major (below 1: minor) release.

    Where these are more than `most`, the newest and, evenly spread, older ones.
    """
    latest = {}
    for version in versions:
        numbers = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)*", version)
        if numbers:
            major, minor = map(int, numbers.groups())
            latest[(major, minor if major == 0 else 0)] = version
    chosen = list(latest.values())[::-1]
    step = max(1.0, len(chosen) / most)
    return [chosen[int(number * step)] for number in range(min(most, len(chosen)))]


def fetch_pypi(name, several, folder):
    """Source archives; pip unpacks each to read its metadata, so that need not work."""
    specs = [name]
    if several:
        listed = run(["pip", "index", "versions", name]) or ""
        versions = re.search(r"Available versions: (.*)", listed)
        if versions:
            ordered = versions.group(1).split(", ")[::-1]
            specs = [f"{name}=={version}" for version in some_versions(ordered, MAX_VERSIONS["pypi"])] or specs
    for number, spec in enumerate(specs):
        temporary = f"{folder}/unpacked{number}"
        os.makedirs(temporary)
        base = ["pip", "download", "-q", "--no-deps", "--no-cache-dir", "-d", f"{folder}/got{number}"]
        source = ["--no-binary", ":all:", "--no-build-isolation", "--no-clean"]
        run(base + source + [spec], 120, env={**os.environ, "TMPDIR": temporary})
        if not any(len(files) > 3 for _, _, files in os.walk(folder)):
            run(base + ["--only-binary", ":all:", spec])
    return [folder]


def fetch_npm(name, several, folder):
    specs = [name]
    if several:
        listed = json.loads(run(["npm", "view", name, "versions", "--json"]) or "[]")
        if isinstance(listed, list):
            specs = [f"{name}@{version}" for version in some_versions(listed, MAX_VERSIONS["npm"])] or specs
    run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder] + specs)
    return [folder]


def fetch_source(name, several, folder):
    """Debian's sources; APT_SOURCES may name options for an apt with deb-src lines."""
    options = os.environ.get("APT_SOURCES", "").split()
    run(["apt-get", "-q"] + options + ["source", "--download-only", name], 900, cwd=folder)
    return [folder]


FETCHERS = {
    "pypi": (fetch_pypi, "PyPI"),
    "npm": (fetch_npm, "npm"),
    "source": (fetch_source, "Debian"),
}


def read_list(path):
    with open(path) as lines:
        names = (line.split("#")[0].strip() for line in lines)
        return list(dict.fromkeys(name for name in names if name))


def collect(registry, out, list_path):
    fetch, place = FETCHERS[registry]
    for entry in read_list(list_path):
        name, several = entry.rstrip("*"), entry.endswith("*")
        folder = f"{WORK}/{registry}"
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        found = walk(fetch(name, several, folder), f"{name} ({place})")
        size = sum(os.path.getsize(f) for f in all_files(folder) if not os.path.islink(f))
        shutil.rmtree(folder, ignore_errors=True)
        add(out, found)
        print(f"{registry} {name}: {len(found)} of {size >> 10} KiB", flush=True)


def collect_debian(out, list_path):
    """Binary packages, a group of them by each apt-get, which is slow to start."""
    names = read_list(list_path)
    folder = f"{WORK}/debian"
    for start in range(0, len(names), 25):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        run(["apt-get", "-q", "download"] + names[start : start + 25], 900, cwd=folder)
        for package in sorted(glob.glob(f"{folder}/*.deb")):
            name = os.path.basename(package).partition("_")[0]
            run(["dpkg-deb", "-x", package, f"{folder}/{name}"], 600)
            os.remove(package)
            found = walk([f"{folder}/{name}"], f"{name} (Debian)")
            shutil.rmtree(f"{folder}/{name}", ignore_errors=True)
            add(out, found)
            print(f"debian {name}: {len(found)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)


def collect_crates(out, list_path):
    """Each line is `name` or `name=version`; cargo fetches what they depend on, too."""
    os.environ["CARGO_HOME"] = home = f"{WORK}/cargo"
    seen = set()
    for entry in read_list(list_path):
        name, _, version = entry.partition("=")
        project = f"{WORK}/crate"
        shutil.rmtree(project, ignore_errors=True)
        os.makedirs(f"{project}/src")
        open(f"{project}/src/lib.rs", "w").close()
        with open(f"{project}/Cargo.toml", "w") as manifest:
            manifest.write('[package]\nname = "crate-to-walk"\nversion = "0.0.0"\nedition = "2021"\n')
            manifest.write(f'[dependencies]\n"{name}" = "{version or "*"}"\n')
        fetched = run(["cargo", "fetch", "-q"], 600, cwd=project)
        total = 0
        for unpacked in sorted(glob.glob(f"{home}/registry/src/*/*")):
            crate = os.path.basename(unpacked)
            if crate not in seen:
                seen.add(crate)
                found = walk([unpacked], f"{re.sub('-[0-9].*', '', crate)} (crate)")
                add(out, found)
                total += len(found)
        print(f"crates {entry}: {total}{'' if fetched is not None else ' (failed)'}", flush=True)


# ---------------------------------------------------------------------- output


def add(out, found):
    with open(out, "a") as lines:
        lines.writelines(f"{key}\t{text}\n" for key, text in sorted(found.items()))


def plain(out, path):
    found = {}
    with open(path, "rb") as lines:
        for line in lines:
            secret, tab, text = line.rstrip(b"\n").partition(b"\t")
            if tab and secret and not secret.startswith(b"#"):
                found[fingerprint(secret)] = short(text.decode())
    add(out, found)


def merge(out, inputs):
    """Of several names for one fingerprint: the first file's, there the shortest.

    What stands in a file given as `-FILE` is left out, and so are defaults: whoever
    runs with a default password has a problem, however well known it is.
    """
    best = {}
    left_out = set()
    for path in [name[1:] for name in inputs if name.startswith("-")]:
        with open(path) as lines:
            left_out.update(line.partition("\t")[0] for line in lines)
    inputs = [name for name in inputs if not name.startswith("-")]
    for rank, path in enumerate(inputs):
        with open(path) as lines:
            for line in lines:
                key, tab, text = line.rstrip("\n").partition("\t")
                default = re.search(r"\bdefault\b|docker-library", text)
                if tab and re.fullmatch(r"[0-9a-f]{32}", key) and key not in left_out and not default:
                    choice = (rank, len(text), text)
                    best[key] = min(best.get(key, choice), choice)
    with open(out + ".new", "w") as lines:
        lines.writelines(f"{key}\t{best[key][2]}\n" for key in sorted(best))
    os.replace(out + ".new", out)
    print(f"{len(best)} fingerprints")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    command, out, *rest = sys.argv[1:]
    if command in FETCHERS:
        collect(command, out, rest[0])
    elif command == "debian":
        collect_debian(out, rest[0])
    elif command == "crates":
        collect_crates(out, rest[0])
    elif command == "walk":
        add(out, walk(rest[1:], rest[0]))
    elif command == "plain":
        plain(out, rest[0])
    elif command == "merge":
        merge(out, rest)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
