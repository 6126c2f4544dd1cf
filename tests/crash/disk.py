"""File systems in image files, from which a power cut takes what was not synced.

What a process wrote and nobody synced lies in the cache of the file system until that writes it to its device, here a loop
device over an image file. A cut takes the image as the device has it: everything that the file system still held back is gone,
and the next mount goes through its journal as after a real cut. The intervals at which a file system writes by itself are set to
five minutes, so that nothing becomes durable by luck. Not covered: a device that loses or reorders what it has acknowledged.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import roots

# What makes each, and how it is mounted.
KINDS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"], "commit=300"),
    "xfs": (["mkfs.xfs", "-q", "-f"], ""),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], "commit=300"),
}
SIZE = 400 << 20  # mkfs.xfs wants 300 MB; the file has holes


def command(*words):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout.strip()


def why_not(kind):
    """Why this machine cannot mount an image with such a file system, or None."""
    roots.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=roots.CACHE) as place:
        disk = None
        try:
            disk = Disk(Path(place), "probe", kind)
            disk.mount()
            return None
        except (OSError, RuntimeError) as problem:
            return f"no {kind} can be mounted from an image file here: {problem}"
        finally:
            if disk:
                disk.let_go()


class Disk:
    def __init__(self, place, name, kind):
        self.kind, self.image, self.top = kind, place / f"{name}.img", place / name
        with open(self.image, "wb") as image:
            image.truncate(SIZE)
        self.top.mkdir(exist_ok=True)
        command(*KINDS[kind][0], self.image)

    def mount(self):
        options = KINDS[self.kind][1]
        command("mount", "-o", f"loop,{options}" if options else "loop", self.image, self.top)
        self.device = command("findmnt", "-n", "-o", "SOURCE", self.top)

    def let_go(self):
        """Who used it may need a moment to be gone."""
        for _ in range(100):
            if subprocess.run(["umount", self.top], capture_output=True).returncode == 0 or not os.path.ismount(self.top):
                return
            time.sleep(0.1)
        raise RuntimeError(f"{self.top} stays in use")

    def written(self):
        """What the device has been asked to write: requests, sectors, and how many are under way."""
        numbers = Path(f"/sys/block/{os.path.basename(self.device)}/stat").read_text().split()
        return numbers[4], numbers[6], numbers[8]

    def cut(self):
        """Goes back to what the device had when nothing used it any more. Copied while the device is quiet, because a copy of a
        device that is being written to is a state that no cut could leave."""
        after = self.image.with_suffix(".cut")
        for _ in range(50):
            before = self.written()
            command("cp", "--sparse=always", "--reflink=auto", self.image, after)
            if self.written() == before:
                break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"{self.device} does not come to rest")
        self.let_go()
        after.rename(self.image)
        self.mount()


class Disks:
    """Directories of a machine on images of their own: DIRECTORIES is {name of the image: paths}."""

    def __init__(self, place, kind, root, directories):
        self.binds, self.disks = [], []
        for name, paths in directories.items():
            disk = Disk(place, name, kind)
            disk.mount()
            self.disks.append(disk)
            for path in paths:
                there, here = disk.top / path.strip("/").replace("/", "-"), root / path.lstrip("/")
                here.mkdir(parents=True, exist_ok=True)
                command("cp", "-a", here, there)
                self.binds.append(f"--bind={there}:{path}")
        self.sync()

    def sync(self):
        command("sync", "-f", *[disk.top for disk in self.disks])

    def cut(self):
        for disk in self.disks:
            disk.cut()

    def close(self):
        for disk in self.disks:
            disk.let_go()
