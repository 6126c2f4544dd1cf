"""A world of one lane with directories on file systems of their own (disk.py)."""

import os
import shutil

from crashworld import CrashWorld, roots
from disk import Disks

__all__ = ["DiskWorld"]


class DiskWorld(CrashWorld):
    """One lane: the sync of a second one's record would take the unsynced words of the first along to the disk."""

    def __init__(self, name, kind, directories):
        """DIRECTORIES: {name of the image: paths}."""
        super().__init__(name, lanes=1)
        self.kind, self.directories, self.disks = kind, directories, None

    def boot(self, wait=True):
        if not self.disks:
            # Named as a machine's own files are, so that the next test removes what a killed one left.
            self.place = roots.CACHE / "run" / f"tu-disks-{os.getpid()}"
            self.place.mkdir(parents=True)
            self.disks = Disks(self.place, self.kind, self.root, self.directories)
            self.nspawn_options = self.disks.binds
        return super().boot(wait)

    def __exit__(self, *error):
        super().__exit__(*error)
        if self.disks:
            self.disks.close()
            shutil.rmtree(self.place, ignore_errors=True)
