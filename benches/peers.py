#!/usr/bin/env python3
"""pentimento beside its peers, on an image that this program makes itself.

    cargo build --release && python3 benches/peers.py [--rounds 3] [--dir /var/tmp/pentimento-peers] [--image FILE] [--write BENCHMARKS.md]

The image is a docker-archive of three layers: a Debian base with Python, Node, git and a JDK from Debian's packages (debootstrap; needs
root and a mirror), a layer that copies /usr/lib/python3 with other modes, and a small one that deletes a file with a token. `--image` takes
another one. The commands run in turns, once a round, the files in the page cache; of each the medians of wall time and CPU time are told,
and the greatest memory and written bytes. A peer that is not installed is left out. Times mean nothing alone: compare them within a run."""
import argparse, datetime, hashlib, io, json, os, platform, shutil, statistics, subprocess, sys, tarfile, tempfile

PACKAGES = ["python3", "python3-pip", "nodejs", "npm", "git", "default-jdk-headless", "python3-django", "python3-numpy"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def layer(path, fill):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        fill(tar)
    return path


def make(directory):
    image, root = os.path.join(directory, "image.tar"), os.path.join(directory, "root")
    if os.path.exists(image):
        return image
    if not os.path.exists(os.path.join(root, "usr/bin/node")):
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True, stdout=subprocess.DEVNULL)
        shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
        install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y", "--no-install-recommends"]
        # The JDK is not installed without it.
        proc = os.path.join(root, "proc")
        subprocess.run(["mount", "-t", "proc", "proc", proc], check=True)
        try:
            subprocess.run(["chroot", root] + install + PACKAGES, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            subprocess.run(["umount", proc], check=True)
        subprocess.run(["chroot", root, "apt-get", "clean"], check=True)

    def base(tar):
        # No devices, and nothing of the host.
        tar.add(root, arcname=".", filter=lambda info: None if info.name.startswith(("./proc/", "./sys/", "./dev/")) else info)

    def modes(tar):
        def changed(info):
            info.mode |= 0o002
            return info
        tar.add(os.path.join(root, "usr/lib/python3"), arcname="usr/lib/python3", filter=changed)

    def deleted(tar):
        info = tarfile.TarInfo("srv/." + "wh..env")
        tar.addfile(info)

    layers = [layer(os.path.join(directory, f"{number}.tar"), fill) for number, fill in enumerate([base, modes, deleted])]
    digests = []
    for path in layers:
        with open(path, "rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    history = [{"created_by": text} for text in ["ADD rootfs.tar /", "RUN chmod -R o+w /usr/lib/python3", "RUN rm /srv/.env"]]
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/bin"]}, "history": history,
                         "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for digest in digests]}}).encode()
    names = ["blobs/sha256/" + digest for digest in digests]
    name = "blobs/sha256/" + hashlib.sha256(config).hexdigest()
    manifest = json.dumps([{"Config": name, "RepoTags": ["pentimento-peers:latest"], "Layers": names}]).encode()
    with tarfile.open(image + ".part", "w") as tar:
        for path, member in zip(layers, names):
            tar.add(path, arcname=member)
        for member, content in [(name, config), ("manifest.json", manifest)]:
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    os.rename(image + ".part", image)
    return image


def unpacked(image, directory):
    """All layers over each other, as the peers want them."""
    target = os.path.join(directory, "unpacked")
    if not os.path.exists(target):
        os.makedirs(target)
        with tarfile.open(image) as tar:
            for member in json.load(tar.extractfile("manifest.json"))[0]["Layers"]:
                process = subprocess.Popen(["tar", "-C", target, "-xf", "-", "--no-same-owner"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
                shutil.copyfileobj(tar.extractfile(member), process.stdin)
                process.communicate()
    return target


def run(command):
    """Wall and CPU seconds, greatest memory in MB, written MB; none if it fails."""
    begin = datetime.datetime.now()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = (datetime.datetime.now() - begin).total_seconds()
    if os.waitstatus_to_exitcode(status) not in (0, 1, 200, 205):
        return None
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, usage.ru_oublock * 512 / 1e6


def kingfisher():
    code = "import kingfisher,os;print(os.path.join(os.path.dirname(kingfisher.__file__),'bin','kingfisher'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    return found if os.path.exists(found) else shutil.which("kingfisher")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", default="/var/tmp/pentimento-peers")
    parser.add_argument("--image")
    parser.add_argument("--write")
    args = parser.parse_args()
    os.makedirs(args.dir, exist_ok=True)
    image = args.image or make(args.dir)
    directory = unpacked(image, args.dir)
    own = os.path.join(ROOT, "target/release/pentimento")
    small = os.path.join(ROOT, "testdata/demo/demo.tar")
    peer = kingfisher()
    peer = [peer, "--no-update-check", "-q", "scan"] if peer else None
    quiet = ["-n", "--no-dedup"]
    commands = [("pentimento scan image.tar", [own, "scan", "-q", image])]
    commands.append(("pentimento scan --no-verify image.tar", [own, "scan", "-q", "--no-verify", image]))
    commands.append(("openssl dgst -sha256 image.tar", ["openssl", "dgst", "-sha256", image]))
    if shutil.which("rg"):
        commands.append(("rg -a, one literal, image.tar", ["rg", "-a", "-c", "rare literal of nobody", image]))
    if peer:
        commands.append(("kingfisher scan docker --archive image.tar", peer + ["docker", "--archive", image, "--no-limits"] + quiet))
        commands.append(("kingfisher scan, the unpacked directory", peer + [directory] + quiet))
    for name, arguments in [("noseyparker", ["scan", "--datastore", os.path.join(args.dir, "np"), directory]),
                            ("trufflehog", ["filesystem", "--no-verification", directory]), ("trivy", ["fs", "--scanners", "secret", directory]),
                            ("gitleaks", ["dir", "--no-banner", directory])]:
        if shutil.which(name):
            commands.append((f"{name}, the unpacked directory", [name] + arguments))
    commands.append(("pentimento scan demo.tar", [own, "scan", "-q", small]))
    if peer:
        commands.append(("kingfisher scan docker --archive demo.tar", peer + ["docker", "--archive", small] + quiet))
    subprocess.run(["cat", image], stdout=subprocess.DEVNULL)
    results = {name: [] for name, _ in commands}
    for number in range(args.rounds):
        for name, command in commands:
            # The slowest need not run so often.
            if number and results[name] and results[name][0] and results[name][0][0] > 60:
                continue
            results[name].append(run(command))
    first = statistics.median(result[0] for result in results[commands[0][0]] if result)
    size = os.path.getsize(image) / 1e6
    lines = [f"{size:.0f} MB, {args.rounds} rounds, {datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}", "",
             "| command | wall s | CPU s | MB/s | memory MB | written MB | × the first |", "|---|---|---|---|---|---|---|"]
    for name, _ in commands:
        good = [result for result in results[name] if result]
        if not good:
            lines.append(f"| {name} | fails | | | | | |")
            continue
        wall, cpu = (statistics.median(result[at] for result in good) for at in (0, 1))
        memory, written = (max(result[at] for result in good) for at in (2, 3))
        speed = "" if "demo.tar" in name else f"{size / wall:.0f}"
        lines.append(f"| {name} | {wall:.2f} | {cpu:.2f} | {speed} | {memory:.0f} | {written:.0f} | {wall / first:.2f} |")
    print("\n".join(lines))
    if args.write:
        text = open(args.write).read()
        begin, end = "<!-- peers.py -->\n", "<!-- end -->"
        head, rest = text.split(begin, 1)
        open(args.write, "w").write(head + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1])


if __name__ == "__main__":
    main()
