#!/usr/bin/env python3
"""Peak anonymous memory and bytes written while pentimento scans images of growing size, from a file and from a pipe.

    cargo build --release && python3 benches/memory.py [--sizes 500,2000,4000] [--dir /var/tmp]

Each image is a docker-archive whose layers (about 250 MB each) hold the files of this machine's /usr, every layer different. Memory is
RssAnon of /proc/PID/status, sampled every 5 ms; written bytes are write_bytes of /proc/PID/io. With --single every layer is one file:
then only the bytes grow, not the tables."""
import argparse, hashlib, io, json, os, subprocess, tarfile, time

LAYER = 250 * 1000 * 1000


def files():
    while True:
        for top, _, names in os.walk("/usr"):
            for name in names:
                path = os.path.join(top, name)
                if os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) < 100 << 20:
                    yield path


class Hashing:
    def __init__(self, out):
        self.out, self.sha, self.n = out, hashlib.sha256(), 0

    def write(self, data):
        self.sha.update(data); self.n += len(data)
        return self.out.write(data)


def single():
    """One file as large as a layer, of this machine's program text."""
    path = "/var/tmp/pentimento-single"
    with open(path, "wb") as out:
        for name in files():
            if name.endswith((".py", ".h", ".so")):
                out.write(open(name, "rb").read())
            if out.tell() >= LAYER:
                break
    while True:
        yield path


def image(path, megabytes, one):
    source, layers, size, names, entries = single() if one else files(), [], 0, [], 0
    with tarfile.open(path, "w") as outer:
        while size < megabytes * 1000 * 1000:
            with open(path + ".layer", "wb") as raw:
                out = Hashing(raw)
                with tarfile.open(fileobj=out, mode="w|") as tar:
                    while out.n < LAYER:
                        name = next(source)
                        info = tar.gettarinfo(name, "l%d%s" % (len(layers), name))
                        if info.isreg():
                            with open(name, "rb") as data:
                                tar.addfile(info, data)
                            entries += 1
            layers.append("sha256:" + out.sha.hexdigest()); names.append("%d/layer.tar" % len(layers)); size += out.n
            outer.add(path + ".layer", names[-1])
        os.unlink(path + ".layer")
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": layers}}).encode()
        manifest = json.dumps([{"Config": "c.json", "RepoTags": ["big:1"], "Layers": names}]).encode()
        for name, data in (("c.json", config), ("manifest.json", manifest)):
            info = tarfile.TarInfo(name); info.size = len(data); outer.addfile(info, io.BytesIO(data))
    return len(layers), entries


def measure(command, stdin=None):
    start, peak, written = time.time(), 0, 0
    p = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while p.poll() is None:
        try:
            status = open("/proc/%d/status" % p.pid).read()
            peak = max(peak, *(int(l.split()[1]) for l in status.splitlines() if l.startswith("RssAnon")), 0)
            written = max(written, *(int(l.split()[1]) for l in open("/proc/%d/io" % p.pid) if l.startswith("write_bytes")), 0)
        except (OSError, ValueError, TypeError):
            pass
        time.sleep(0.005)
    return p.returncode, peak / 1024, written, time.time() - start


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--sizes", default="500,2000,4000"); a.add_argument("--dir", default="/var/tmp"); a.add_argument("--bin", default="target/release/pentimento")
    a.add_argument("--single", action="store_true")
    a = a.parse_args()
    print("%8s %7s %9s  %-5s %4s %10s %14s %8s" % ("MB", "layers", "entries", "from", "exit", "peak MB", "bytes written", "seconds"))
    for mb in (int(x) for x in a.sizes.split(",")):
        path = os.path.join(a.dir, "pentimento-memory.tar")
        layers, entries = image(path, mb, a.single)
        for how in ("file", "pipe"):
            command = [a.bin, "scan", path if how == "file" else "-", "--quiet", "--format", "json"]
            stdin = None if how == "file" else subprocess.Popen(["cat", path], stdout=subprocess.PIPE).stdout
            code, peak, written, seconds = measure(command, stdin)
            print("%8d %7d %9d  %-5s %4d %10.1f %14d %8.1f" % (mb, layers, entries, how, code, peak, written, seconds), flush=True)
        os.unlink(path)


main()
