"""A D-Bus connection in plain Python that sends what it is told, also what no library would let out, and many calls at once.

For floods and odd calls only; what a person would type is in busctl's hands (tests/system/bus.py, tests/contract/dbus/private.py).
"""

import array
import os
import socket
import struct

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY, INTERACTIVE = 1, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, FDS = range(1, 10)
FIXED = {"y": "B", "b": "I", "n": "h", "q": "H", "i": "i", "u": "I", "x": "q", "t": "Q", "d": "d", "h": "I"}
ALIGN = {**{kind: struct.calcsize(code) for kind, code in FIXED.items()}, "s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}


def split(signature):
    """A signature as its complete types."""
    kinds, at = [], 0
    while at < len(signature):
        begin = at
        while signature[at] == "a":
            at += 1
        if signature[at] in "({":
            depth = 0
            while True:
                depth += (signature[at] in "({") - (signature[at] in ")}")
                at += 1
                if not depth:
                    break
        else:
            at += 1
        kinds.append(signature[begin:at])
    return kinds


def pad(data, size):
    data.extend(bytes(-len(data) % size))


def put(data, kind, value):
    """Appends VALUE; of a variant it is (type, value), of a text str or bytes, with no check of any."""
    pad(data, ALIGN[kind[0]])
    if kind in FIXED:
        data.extend(struct.pack("<" + FIXED[kind], value))
    elif kind in "sog":
        text = value.encode() if isinstance(value, str) else value
        data.extend(struct.pack("<B" if kind == "g" else "<I", len(text)) + text + b"\0")
    elif kind == "v":
        put(data, "g", value[0])
        put(data, *value)
    elif kind[0] == "a":
        at = len(data)
        data.extend(bytes(4))
        pad(data, ALIGN[kind[1]])
        begin = len(data)
        for one in value:
            put(data, kind[1:], one)
        data[at:at + 4] = struct.pack("<I", len(data) - begin)
    else:
        for one, inner in zip(split(kind[1:-1]), value):
            put(data, one, inner)


def take(data, at, kind):
    """The value of type KIND at AT, and where the next one is."""
    at += -at % ALIGN[kind[0]]
    if kind in FIXED:
        value, = struct.unpack_from("<" + FIXED[kind], data, at)
        return value, at + ALIGN[kind]
    if kind in "sog":
        size, = struct.unpack_from("<B" if kind == "g" else "<I", data, at)
        at += 1 if kind == "g" else 4
        return data[at:at + size].decode(), at + size + 1
    if kind == "v":
        inner, at = take(data, at, "g")
        return take(data, at, inner)
    if kind[0] == "a":
        size, at = take(data, at, "u")
        at += -at % ALIGN[kind[1]]
        end, values = at + size, []
        while at < end:
            value, at = take(data, at, kind[1:])
            values.append(value)
        return (dict(values) if kind[1] == "{" else values), at
    values = []
    for one in split(kind[1:-1]):
        value, at = take(data, at, one)
        values.append(value)
    return values, at


def message(kind, serial, fields, signature="", body=b"", flags=0):
    """A whole message; FIELDS are (code, type, value)."""
    fields = [(code, (sort, value)) for code, sort, value in fields]
    if signature:
        fields.append((SIGNATURE, ("g", signature)))
    data = bytearray(struct.pack("<cBBBII", b"l", kind, flags, 1, len(body), serial))
    put(data, "a(yv)", fields)
    pad(data, 8)
    return bytes(data) + bytes(body)


def body(signature, values):
    data = bytearray()
    for kind, value in zip(split(signature), values):
        put(data, kind, value)
    return data


class Answer:
    def __init__(self, kind, fields, data):
        self.kind, self.fields, self.data = kind, fields, data
        self.error, self.signature, self.sender = fields.get(ERROR_NAME), fields.get(SIGNATURE, ""), fields.get(SENDER)

    def values(self):
        values, at = [], 0
        for kind in split(self.signature):
            value, at = take(self.data, at, kind)
            values.append(value)
        return values

    def text(self):
        """What an error says."""
        return self.values()[0] if self.signature.startswith("s") else ""


class Gone(Exception):
    """The bus has ended the connection."""


class Connection:
    """To the bus at the socket PATH, as USER."""

    def __init__(self, path, user=0, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.serial, self.data, self.answers = 0, b"", {}
        os.seteuid(user)  # the bus is told by the kernel who connects
        try:
            self.socket.connect(path)
        finally:
            os.seteuid(0)
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(user).encode().hex().encode() + b"\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n")
        while self.data.count(b"\r\n") < 2:
            self.read()
        _, _, self.data = self.data.split(b"\r\n", 2)
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello").values()[0]

    def close(self):
        self.socket.close()

    def read(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            raise Gone
        self.data += data

    def next_serial(self):
        self.serial += 1
        return self.serial

    def send(self, data, fds=()):
        try:
            if fds:
                sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
                data = data[sent:]
            self.socket.sendall(data)
        except ConnectionError:
            raise Gone from None

    def prepare(self, name, path, interface, member, signature="", *values, flags=0):
        """(serial, message) of a call."""
        serial = self.next_serial()
        fields = [(PATH, "o", path), (DESTINATION, "s", name), (MEMBER, "s", member)]
        if interface:
            fields.append((INTERFACE, "s", interface))
        return serial, message(CALL, serial, fields, signature, body(signature, values), flags)

    def wait(self, serial):
        """The answer to a call."""
        while serial not in self.answers:
            self.take_one()
        return self.answers.pop(serial)

    def take_one(self):
        while len(self.data) < 16:
            self.read()
        size, _, header = struct.unpack_from("<III", self.data, 4)
        begin = 16 + header + -header % 8
        while len(self.data) < begin + size:
            self.read()
        fields = dict(take(self.data, 12, "a(yv)")[0])
        if REPLY_SERIAL in fields:
            self.answers[fields[REPLY_SERIAL]] = Answer(self.data[1], fields, self.data[begin:begin + size])
        self.data = self.data[begin + size:]

    def call(self, *words, **more):
        serial, data = self.prepare(*words, **more)
        self.send(data)
        return self.wait(serial)
