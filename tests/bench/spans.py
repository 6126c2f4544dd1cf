"""How much of a time programs of TimesTen take, for `window` and `overhead`."""


def is_timestens(name):
    return name.startswith("tt") or name in ("export", "import")


def covered(spans, begin, end):
    """Seconds of the time from BEGIN to END in which at least one of them ran."""
    total, reached = 0.0, begin
    for start, stop in sorted(spans):
        start, stop = max(start, reached), min(stop, end)
        if stop > start:
            total += stop - start
            reached = stop
    return total
