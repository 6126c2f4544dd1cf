"""Odd values for calls on the bus, out of one seed: types, texts, numbers, paths, options."""

import rawbus

BASIC = "ybnqiuxtdsog"
LIMITS = {"y": (0, 255), "b": (0, 1), "n": (-2**15, 2**15 - 1), "q": (0, 2**16 - 1), "i": (-2**31, 2**31 - 1),
          "u": (0, 2**32 - 1), "x": (-2**63, 2**63 - 1), "t": (0, 2**64 - 1), "h": (0, 0)}
TEXTS = ["", " ", ".", "..", "/", "../../etc/shadow", "main/../main", "main/", "/main", "main\n", "\t", "a" * 255, "a" * 256,
         "a" * 4096, "a" * 4097, "a" * 100_000, "%s%s%n%n", "%", "\x01\x1b[2J\x7f", "'; rm -rf / #", "$(id)", "`id`", "--help",
         "-", "-1", "0", "18446744073709551616", "1e9999", "true", "yes", "\u00e4\u00f6", "\U0001f4a5" * 300, "\u202egnp",
         "\u2028", "\ufeff", "\u0301" * 500, "org.timesten.Upgrade1", "[Server]\nListen=1", "NaN"]
PATHS = ["/", "/a", "/_", "/org", "/org/timesten", "/org/timesten/Upgrade1/server", "/org/timesten/Upgrade1/server/_",
         "/org/timesten/Upgrade1/server/_2e_2e", "/org/timesten/Upgrade1/server/main/main", "/org/timesten/Upgrade1/server/MAIN",
         "/org/timesten/Upgrade1/server/_6dain", "/org/timesten/Upgrade1/server/_6", "/org/timesten/Upgrade1/instance/_00",
         "/org/timesten/Upgrade1/instance/_ff_fe", "/org/timesten/Upgrade1/job/0", "/org/timesten/Upgrade1/job/00",
         "/org/timesten/Upgrade1/job/01", "/org/timesten/Upgrade1/job/_31", "/org/timesten/Upgrade1/job/18446744073709551615",
         "/org/timesten/Upgrade1/job/18446744073709551616", "/org/timesten/Upgrade1/job/9" + "9" * 500,
         "/org/timesten/Upgrade1/server/" + "a" * 5000, "/" + "/".join("a" * 200), "/org/freedesktop/DBus"]
# What no message may hold: the bus itself throws out whoever sends it.
BROKEN_TEXTS = [b"\xff\xfe", b"a\0b", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"]


class Odd:
    def __init__(self, random):
        self.random = random
        self.names = []  # of things that are there, so that not all is refused for its name
        self.things = []
        self.paths = []
        self.options = []

    def chance(self, part):
        return self.random.random() < part

    def kind(self, depth=0):
        """A complete type."""
        if depth > 6 or self.chance(0.55):
            return self.random.choice(BASIC)
        sort = self.random.choice("aa(v{")
        if sort == "a":
            return "a" + self.kind(depth + 1)
        if sort == "(":
            return "(" + "".join(self.kind(depth + 2) for _ in range(self.random.randint(1, 4))) + ")"
        if sort == "{":
            return "a{" + self.random.choice(BASIC) + self.kind(depth + 2) + "}"
        return "v"

    def text(self):
        if self.names and self.chance(0.45):
            return self.random.choice(self.names)
        if self.chance(0.2):
            return "".join(chr(self.random.choice((self.random.randint(1, 127), self.random.randint(1, 0xd7ff))))
                           for _ in range(self.random.randint(1, 40)))
        return self.random.choice(TEXTS)

    def path(self):
        return self.random.choice(self.paths if self.paths and self.chance(0.5) else PATHS)

    def number(self, kind):
        low, high = LIMITS[kind]
        some = [low, high, 0, 1, high // 2, high - 1, self.random.randint(low, high), 60_000_000, 1_000_000, 2, 7]
        return max(low, min(high, self.random.choice(some)))

    def variant(self, levels=0):
        """(type, value), perhaps deep; D-Bus allows 64 levels, those around it included."""
        if levels or self.chance(0.05):
            levels = levels or self.random.randint(2, 45)
            value = ("s", "deep")
            for _ in range(levels):
                value = ("v", value)
            return value
        kind = self.kind(3)
        return kind, self.value(kind, 3)

    def value(self, kind, depth=0):
        if kind in LIMITS:
            return self.number(kind)
        if kind == "d":
            return self.random.choice([0.0, -0.0, 1.5, float("nan"), float("inf"), -float("inf"), 1e308])
        if kind == "s":
            return self.text()
        if kind == "o":
            return self.path()
        if kind == "g":
            return self.random.choice(["", "s", "a{sv}", "(" * 31 + "s" + ")" * 31, "a" * 31 + "y", "s" * 255])
        if kind == "v":
            return self.variant()
        if kind == "a{sv}" and depth == 0:
            return self.dictionary()
        if kind[0] == "a":
            huge = depth < 2 and kind[1] in LIMITS and self.chance(0.3)
            many = 0 if depth > 4 else self.random.choice([0, 0, 1, 1, 2, 3, 1200 if huge else 4])
            return [self.value(kind[1:], depth + 1) for _ in range(many)]
        return [self.value(one, depth + 1) for one in rawbus.split(kind[1:-1])]

    def dictionary(self):
        """Options: known and unknown keys, right and wrong types, twice the same."""
        entries = []
        for _ in range(self.random.choice([0, 0, 1, 1, 1, 2, 3, 5, 300 if self.chance(0.1) else 1])):
            key, kind = self.random.choice(self.options) if self.options and self.chance(0.75) else (self.text(), None)
            kind = kind if kind and self.chance(0.7) else self.kind(3)
            entries.append((key, (kind, self.value(kind, 1))))
        if entries and self.chance(0.1):
            entries.append(entries[0])
        return entries

    def arguments(self, signature):
        """(signature, values): mostly of the right types, and some that make sense."""
        kinds = rawbus.split(signature)
        if self.chance(0.15):
            return signature, [self.sane(one) for one in kinds]
        dice = self.random.random()
        if dice < 0.06:
            kinds = kinds[:-1]
        elif dice < 0.12:
            kinds.append(self.kind())
        elif dice < 0.18 and kinds:
            kinds[self.random.randrange(len(kinds))] = self.kind()
        elif dice < 0.22:
            kinds = [self.kind() for _ in range(self.random.randint(0, 5))]
        elif dice < 0.24:
            kinds = ["a" * self.random.randint(1, 31) + "y"]
        elif dice < 0.26:
            depth = self.random.randint(1, 31)
            kinds = ["(" * depth + "s" + ")" * depth]
        elif dice < 0.28:
            kinds.append("h")
        return "".join(kinds), [self.value(one) for one in kinds]

    def sane(self, kind):
        if kind == "a{sv}":
            some = [self.random.choice(self.options)] if self.chance(0.5) else []
            return [(key, (kind, ["orders"] if kind == "as" else self.value(kind, 1))) for key, kind in some]
        return self.random.choice(self.things) if kind == "s" else 5_000_000 if kind == "t" else self.value(kind)

    def broken(self, member, path):
        """Bytes that are no message, or one that no library would send."""
        dice = self.random.randrange(6)
        text = self.random.choice(BROKEN_TEXTS)
        if dice == 0:
            return rawbus.message(rawbus.CALL, 9, [(rawbus.PATH, "o", path), (rawbus.MEMBER, "s", member),
                                                   (rawbus.DESTINATION, "s", "org.timesten.Upgrade1")], "s",
                                  rawbus.body("s", [text]))
        if dice == 1:
            return rawbus.message(rawbus.CALL, 9, [(rawbus.PATH, "o", b"/a//b" + text), (rawbus.MEMBER, "s", member)])
        if dice == 2:
            return rawbus.message(rawbus.CALL, 9, [(rawbus.PATH, "o", path), (rawbus.MEMBER, "s", member),
                                                   (rawbus.DESTINATION, "s", "org.timesten.Upgrade1")], "a" * 40 + "s", b"")
        if dice == 3:
            return rawbus.message(rawbus.CALL, 0, [(rawbus.PATH, "o", path), (rawbus.MEMBER, "s", member)])
        if dice == 4:
            return rawbus.message(9, 9, [(rawbus.PATH, "o", path), (rawbus.MEMBER, "s", member)], "s",
                                  rawbus.body("s", ["x"]))[:self.random.randint(17, 60)].ljust(4096, b"\xff")
        return bytes(self.random.randrange(256) for _ in range(self.random.randint(16, 200)))
