"""What ./demo shows: clients that write, one call on the bus, and what each client saw of it."""

import argparse
import signal
import sys
import time

from bus import NAME, ROOT
from harness import Failed, World, say, wait_until

COLUMNS = ("client", "tried", "refused", "reset", "timed out", "cut", "longest wait", "written", "served by")


def table(rows, columns):
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        say("  " + "   ".join(str(value).rjust(width) for value, width in zip(row, widths)))


def follow(world, number):
    """One line that changes on a terminal, one line for each step elsewhere; gives the finished job."""
    tty = sys.stdout.isatty()
    told = None
    while True:
        job = world.job(number)
        server = world.bus.properties("Server", "main")
        step = next((text for name, text, _ in job["Steps"] if name == job["Step"]), job["Step"])
        left = job["RemainingUSec"] / 1e6
        line = f"{job['Progress']:4.0%}  {step}"
        if tty:
            bar = "█" * round(job["Progress"] * 30)
            eta = f", {left:.0f} s left" if left < 1e6 else ""
            print(f"\r\033[K  {bar:<30} {line}{eta}, {server['Held']} waiting, {server['Sessions']} sessions", end="", flush=True)
        elif step != told:
            say(f"  {line} ({server['Held']} waiting)")
            told = step
        if job["State"] == "finished":
            if tty:
                print()
            return job
        time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(prog="demo")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--clients", type=int, default=12)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))

    say("booting a Debian container with the package and two TimesTen releases (the stand-in) …")
    with World("demo", rows=wanted.rows, server_lines=["DrainSec=2"]) as world:
        before = world.content("tt60", "orders")
        # Empty until the service, which this question started, has looked at the instance.
        release = wait_until(lambda: world.bus.properties("Server", "main")["Release"], 20, "the release to be known")
        say(f"server main on port 16002: TimesTen {release}, database orders with {before[0]} rows")
        stay = min(2, wanted.clients)
        say(f"{wanted.clients} clients write; all but {stay} reconnect all the time …")
        world.start_clients(wanted.clients - stay)
        world.start_clients(stay, reconnect_every=0)
        world.settle()
        call = ["busctl", "call", "--timeout=30", NAME, f"{ROOT}/server/main", f"{NAME}.Server", "Upgrade", "sa{sv}", "tt70", "0"]
        say("\n# " + " ".join(call))
        answer = world.run(*call).out.split()
        say(" ".join(answer))
        number = int(answer[1])
        job = follow(world, number)
        world.settle()
        serving = world.bus.properties("Server", "main")
        report = world.stop_clients()
        after = world.content("tt70", "orders") if serving["Instance"] == "tt70" else world.content("tt60", "orders")
        say("\nwhat each client saw")
        table([(client.number, *(client.report["connects"][key] for key in ("tried", "refused", "reset", "timed_out")),
                client.report["sessions"]["cut"], f"{client.report['longest_wait_ms']['connect'] / 1000:.1f} s",
                client.report["rows"]["acknowledged"],
                f"{client.report['release']['first']} → {client.report['release']['last']}") for client in report.clients],
              COLUMNS)
        lost = world.lost(serving["Instance"], report)
        spans = world.step_seconds(number)
        say("\nthe upgrade")
        for name, value in (
                ("result", job["Result"] + (f": {job['Error'][1]}" if job["Error"][1] else "")),
                ("release before, after", f"{release}, {serving['Release']}"),
                ("rows before, and now", f"{before[0]}, {after[0]}, checksum {'the same' if before == after else 'DIFFERENT'}"),
                ("rows written, found, lost", f"{report.written}, {report.found}, {len(lost)}"),
                ("connects tried", report.tried), ("connects refused", report.refused),
                ("connects reset", report.reset), ("connects timed out", report.timed_out),
                ("sessions cut once, as announced", report.cut),
                ("longest wait of a client", f"{report.longest_ms / 1000:.1f} s"),
                ("port held", f"{job['HeldUSec'] / 1e6:.1f} s"),
                ("export, import", f"{spans.get('export', 0):.1f} s, {spans.get('import', 0):.1f} s")):
            say(f"  {name:<34}{value}")
        good = job["Result"] == "done" and not lost and not report.troubles() and before == after
        say("\nnobody was refused and nothing was lost" if good else "\nthis is NOT what the upgrade promises")
        return 0 if good else 1


try:
    sys.exit(main())
except Failed as failure:
    say(f"error: {failure}")
    sys.exit(1)
