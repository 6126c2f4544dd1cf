"""A machine as it is before anybody manages its servers: TimesTen 6.0 serves at its own port 16002, 7.0 is installed beside it."""

from container import Container
from world import HOMES, PORT, World


class Unmanaged(World):
    """`by_hand`: the administrator started 6.0 with its own command, and no unit knows of it."""

    def __init__(self, name, by_hand=False, **more):
        super().__init__(name, **more)
        self.by_hand = by_hand
        self.nspawn_options = ["--system-call-filter=pidfd_getfd"]  # which nspawn leaves out of what it allows

    def __enter__(self):
        Container.__enter__(self)
        try:
            for instance in self.instances:
                self.install_instance(instance)
            self.boot()
            if self.by_hand:
                self.utility("tt60", "ttDaemonAdmin", "-start")
            self.create_databases()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def create_databases(self, instance="tt60"):
        if not self.by_hand:
            return super().create_databases(instance)
        systemctl, self.systemctl = self.systemctl, lambda *words: None
        super().create_databases(instance)
        self.systemctl = systemctl

    def adopt(self, *more, check=True):
        return self.run("ttctl", "adopt", "main", "--instance=tt60", *more, check=check)

    def server_port(self, instance="tt60"):
        """What the option file says."""
        for line in self.read(f"{HOMES[instance]}/info/ttendaemon.options").splitlines():
            if line.split()[:1] == ["-server"]:
                return int(line.split()[1])
        return 0


__all__ = ["PORT", "Unmanaged"]
