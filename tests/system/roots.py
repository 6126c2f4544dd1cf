"""Debian roots to boot: a clean one per release, one with the package in it, and a throw-away layer per test.

Everything is cached below TU_CACHE and keyed by what went into it, so a second run starts in seconds. Nothing
here boots anything (container.py does). Layers are overlayfs; where the machine cannot do that, full copies.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("TU_CACHE", "/var/cache/timesten-upgrade-tests"))
SUITES = {"12": "bookworm", "13": "trixie"}

# What the tests need beyond a minimal Debian: an init, a bus, polkit, the libraries of the stand-in, and ssh, which
# only a test of two hosts starts.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "polkitd", "iproute2", "procps", "libsqlite3-0", "libglib2.0-0",
            "openssh-server"]
BUILD_PACKAGES = ["build-essential", "clang", "git", "debhelper", "meson", "pkgconf", "libglib2.0-dev",
                  "libsystemd-dev", "libdbus-1-dev", "libsqlite3-dev", "systemd", "xsltproc"]


def say(*words):
    print(*words, flush=True)


def host_suite():
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return "bookworm"


def suite():
    """The Debian release under test: the machine's own unless TU_SUITE says another."""
    return os.environ.get("TU_SUITE") or (host_suite() if host_suite() in SUITES.values() else "bookworm")


def host_mirror():
    """The archive this machine's own apt uses, or None: the roots come from where the machine comes from."""
    uris = []
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        if not file.is_file():
            continue
        text = file.read_text(errors="replace")
        if file.suffix == ".sources":
            for stanza in text.split("\n\n"):
                fields = dict(line.split(":", 1) for line in stanza.splitlines()
                              if ":" in line and not line.startswith(("#", " ")))
                if host_suite() in fields.get("Suites", "").split() and "main" in fields.get("Components", ""):
                    uris += fields.get("URIs", "").split()
        elif file.suffix == ".list":
            for line in text.splitlines():
                words = [word for word in line.split() if not word.startswith("[") and not word.endswith("]")]
                if len(words) > 3 and words[0] == "deb" and words[2] == host_suite() and "main" in words[3:]:
                    uris.append(words[1])
    return next((uri for uri in uris if uri.startswith(("http:", "https:", "file:", "copy:"))), None)


def key_of(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(name):
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def drop_old(pattern, days):
    """Removes cached things that nobody made or used for so long and that no test stands on now."""
    for old in CACHE.glob(pattern):
        if old.suffix == ".lock" or not old.is_dir() or old.stat().st_mtime > time.time() - days * 86400:
            continue
        use = os.open(f"{old}/in-use.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
        os.close(use)


def keep(place):
    """Nobody removes PLACE for as long as this process lives."""
    os.utime(place)
    fcntl.flock(os.open(f"{place}/in-use.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC), fcntl.LOCK_SH)


def run(*command, **more):
    """Runs a command of the machine; its output is shown only where it failed."""
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} exited with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def bootstrap(kind, packages, suite_name):
    """A Debian root by mmdebstrap, made once for a release and a list of packages."""
    mirror = host_mirror()
    target = CACHE / f"{kind}-{suite_name}-{key_of(suite_name, *packages, 'v1')}"
    with locked(f"{kind}-{suite_name}"):
        if target.is_dir():
            return target
        drop_old(f"{kind}-{suite_name}-*", 7)
        say(f"# making a root of Debian {suite_name} ({kind})")
        making = Path(f"{target}.making")
        shutil.rmtree(making, ignore_errors=True)
        run("mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages), suite_name, making,
            *([mirror] if mirror else []))
        # Each boot of a fresh layer is a machine of its own, and its journal outlives a power cut.
        (making / "etc/machine-id").write_text("")
        (making / "var/log/journal").mkdir(parents=True, exist_ok=True)
        (making / "etc/resolv.conf").unlink(missing_ok=True)
        (making / "etc/hostname").write_text("tu\n")
        (making / "etc/hosts").write_text("127.0.0.1 localhost tu\n::1 localhost\n")
        for name in ("ssh.service", "ssh.socket"):
            for wish in (making / "etc/systemd/system").glob(f"*.wants/{name}"):
                wish.unlink()
        making.rename(target)
    return target


def clean_root(suite_name=None):
    return bootstrap("clean", PACKAGES, suite_name or suite())


def build_root(suite_name):
    return bootstrap("build", BUILD_PACKAGES, suite_name)


def overlay_works():
    """Asked of the place itself: overlayfs is refused on some file systems and in some containers."""
    probe = Path(tempfile.mkdtemp(prefix="probe-", dir=CACHE))
    try:
        for name in ("lower", "upper", "work", "root"):
            (probe / name).mkdir()
        done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                               f"lowerdir={probe}/lower,upperdir={probe}/upper,workdir={probe}/work",
                               probe / "root"], capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", probe / "root"])
        return done.returncode == 0
    finally:
        shutil.rmtree(probe, ignore_errors=True)


class Layer:
    """A writable root above others. `upper` is what may be used below a further layer."""

    def __init__(self, place, below):
        self.place = Path(place)
        self.root = self.place / "root"
        self.upper = self.place / "upper"
        for name in ("root", "upper", "work"):
            (self.place / name).mkdir(parents=True)
        self.overlay = overlay_works()
        if self.overlay:
            below = ":".join(str(one) for one in below)
            run("mount", "-t", "overlay", "overlay", "-o",
                f"lowerdir={below},upperdir={self.upper},workdir={self.place}/work", self.root)
        else:
            shutil.rmtree(self.upper)
            run("cp", "-a", "--reflink=auto", below[0], self.upper)
            run("mount", "--bind", self.upper, self.root)

    def close(self, remove=True):
        for _ in range(50):
            if subprocess.run(["umount", self.root], capture_output=True).returncode == 0:
                break
            if not os.path.ismount(self.root):
                break
            subprocess.run(["sleep", "0.1"])
        else:
            subprocess.run(["umount", "-l", self.root])
        if remove:
            shutil.rmtree(self.place, ignore_errors=True)


def tree_key():
    """A key of everything that the package is made from."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        relative = path.relative_to(SOURCE)
        if relative.parts[0].startswith((".git", "build", "tests")) or not path.is_file():
            continue
        digest.update(f"{relative}\0{path.stat().st_mode}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def in_root(root, *command):
    """Runs a command in a root with the kernel's file systems in place; these mounts vanish with the command."""
    script = (f"set -e; for d in dev proc sys; do mkdir -p {root}/$d; done; mount --rbind /dev {root}/dev; "
              f"mount -t proc proc {root}/proc; exec chroot {root} \"$@\"")
    return run("unshare", "--mount", "--pid", "--fork", "--propagation", "private", "sh", "-c", script, "sh", *command,
               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root",
                    "DEBIAN_FRONTEND": "noninteractive"})


@functools.cache
def package(suite_name=None):
    """The .deb under test: TU_DEB, or built from this tree (again whenever the tree changed); one for the whole process."""
    if os.environ.get("TU_DEB"):
        return Path(os.environ["TU_DEB"])
    suite_name = suite_name or suite()
    with locked(f"deb-{suite_name}"):
        # The key of the tree as it is now, not as it was when the wait for the lock began; nor is a tree that was edited
        # during the build what its key says.
        while not list((place := CACHE / f"deb-{suite_name}-{tree_key()}").glob("*.deb")):
            drop_old(f"deb-{suite_name}-*", 1)
            say(f"# building the package for {suite_name}")
            making = Path(f"{place}.making")
            for left in (making, place):
                shutil.rmtree(left, ignore_errors=True)
            making.mkdir(parents=True)
            if suite_name == host_suite():
                run(SOURCE / "packaging/build-deb", making)
            else:
                build_elsewhere(suite_name, making)
            if place.name.endswith(tree_key()):
                making.rename(place)
            else:
                shutil.rmtree(making)
    return sorted(deb for deb in place.glob("*.deb") if "-dbgsym" not in deb.name)[-1]


def build_elsewhere(suite_name, place):
    """Package and stand-in as another Debian release builds them: PLACE/*.deb and PLACE/build."""
    place = Path(place).resolve()
    work = Path(tempfile.mkdtemp(prefix=f"build-{suite_name}-", dir=CACHE))
    layer = Layer(work / "layer", [build_root(suite_name)])
    try:
        (layer.root / "src").mkdir()
        run("sh", "-c", 'tar -C "$1" --exclude-vcs --exclude=./build --exclude="*.deb" -c . | tar -C "$2" -x', "sh",
            SOURCE, layer.root / "src")
        in_root(layer.root, "/src/packaging/build-deb", "/out", "--no-install-deps")
        in_root(layer.root, "sh", "-c", "cd /src && meson setup /out/build >/dev/null && ninja -C /out/build")
        run("cp", "-a", f"{layer.root}/out/.", place)
    finally:
        layer.close()
        shutil.rmtree(work, ignore_errors=True)


def build_directory():
    """Where meson built this tree: the stand-in comes from there. One that was built on a later Debian than the machine's
    would not run there."""
    beside = package().parent / "build" if not {"TU_BUILD", "TU_DEB"} & os.environ.keys() and suite() != host_suite() else None
    return Path(os.environ.get("TU_BUILD", beside or SOURCE / "build")).resolve()


def prepared_layers(suite_name=None):
    """The clean root with the package installed by dpkg, as a list of layers for Layer()."""
    suite_name = suite_name or suite()
    clean = clean_root(suite_name)
    deb = package(suite_name)
    key = key_of(clean.name, hashlib.sha256(deb.read_bytes()).hexdigest(), "v1")
    place = CACHE / f"prepared-{suite_name}-{key}"
    with locked(f"prepared-{suite_name}"):
        if not place.is_dir():
            drop_old(f"prepared-{suite_name}-*", 0.05)
            making = Path(f"{place}.making")
            shutil.rmtree(making, ignore_errors=True)
            layer = Layer(making, [clean])
            try:
                shutil.copy(deb, layer.root / "tmp/product.deb")
                in_root(layer.root, "dpkg", "--force-confnew", "-i", "/tmp/product.deb")
                (layer.root / "tmp/product.deb").unlink()
                in_root(layer.root, "useradd", "--create-home", "--shell", "/bin/bash", "ttadmin")
                in_root(layer.root, "useradd", "--create-home", "--shell", "/bin/bash", "guest")
            finally:
                layer.close(remove=False)
            making.rename(place)
        keep(place)
    return [place / "upper", clean] if overlay_works() else [place / "upper"]
