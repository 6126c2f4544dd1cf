"""What a person would type: busctl and ttctl, with their answers as Python values."""

import json
import re

from container import Failed

NAME = "org.timesten.Upgrade1"
ROOT = "/org/timesten/Upgrade1"
DEBUG = {"SYSTEMD_LOG_LEVEL": "debug"}  # makes busctl tell an error's name, not only its message


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message
        self.nick = name.rsplit(".", 1)[-1]


def options(values=None):
    """The words of an a{sv}: options({"method": ("s", "offline")})."""
    values = values or {}
    words = [len(values)]
    for key, (kind, value) in values.items():
        words += [key, kind, value]
    return words


def plain(value):
    """busctl's {"type": …, "data": …} variants as bare values."""
    if isinstance(value, dict):
        if set(value) == {"type", "data"}:
            return plain(value["data"])
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


class Bus:
    def __init__(self, container):
        self.container = container

    def call(self, path, interface, method, signature="", *words, user=None, timeout=30, name=NAME):
        """The values of the answer; BusError where the answer is one."""
        arguments = [signature, *words] if signature else []
        done = self.container.run("busctl", "--json=short", f"--timeout={timeout}", "call", name, path, interface, method,
                                  *arguments, user=user, check=False, env=DEBUG, timeout=timeout + 10)
        if done.status == 0:
            return plain(json.loads(done.out)["data"]) if done.out.strip() else []
        told = re.findall(r"Got message type=error .* error-name=(\S+) error-message=(.*)", done.err)
        if told:
            raise BusError(*told[-1])
        raise Failed(f"{method} on {path}: {done.err.splitlines()[-1:] or done}")

    def manager(self, method, signature="", *words, **more):
        return self.call(ROOT, f"{NAME}.Manager", method, signature, *words, **more)

    def server(self, server, method, signature="", *words, **more):
        return self.call(f"{ROOT}/server/{server}", f"{NAME}.Server", method, signature, *words, **more)

    def job(self, job, method, signature="", *words, **more):
        return self.call(f"{ROOT}/job/{job}", f"{NAME}.Job", method, signature, *words, **more)

    def properties(self, kind, name, user=None):
        """All properties of the Server, Instance or Job called NAME."""
        return self.call(f"{ROOT}/{kind.lower()}/{name}", "org.freedesktop.DBus.Properties", "GetAll", "s",
                         f"{NAME}.{kind}", user=user)[0]


def refused(call, nick, *fragments):
    """CALL() must end in the bus error NICK, and its message must hold every fragment; gives the message."""
    try:
        answer = call()
    except BusError as error:
        if error.nick != nick:
            raise Failed(f"wanted the error {nick}, got {error}") from None
        for fragment in fragments:
            if fragment not in error.message:
                raise Failed(f"the message of {nick} does not name {fragment!r}: {error.message}") from None
        return error.message
    raise Failed(f"wanted the error {nick}, got the answer {answer}")
