"""What is not the instance's own server is not adopted and leaves no trace. One that runs is, and then keeper and server may die:
clients wait, and are served by the server on its private port. One that does not run is only configured."""

import re

from harness import DAEMON_PORTS, check, equal, run, wait_until
from unmanaged import PORT, Unmanaged

KEEPER = "timesten-server@main.service"
SOCKET = "timesten-server@main.socket"


def files(world):
    return world.shell("ls /etc/timesten-upgrade/servers.d /run/timesten-upgrade/adopted "
                       "/etc/systemd/system/sockets.target.wants 2>/dev/null | grep -v :", check=False).out.split()


def refused(world, wanted, *words):
    done = world.run("ttctl", "adopt", *words, check=False)
    check(done.status != 0 and re.search(wanted, re.sub(r"\s+", " ", done.out + done.err)), f"adopt {words} should say {wanted}: {done}")


def refusals(world):
    before, [server] = files(world), world.servers("tt60")
    refused(world, "Whose server", "main")
    refused(world, "No instance", "main", "--instance=nobody")
    refused(world, "cannot be the name", "ma-in", "--instance=tt60")
    refused(world, "listens on port 16002, not on 16009", "main", "--instance=tt60", "--listen=16009")
    refused(world, "no database of that name", "main", "--instance=tt60", "--databases=nothing")
    refused(world, "cannot be a DSN", "main", "--instance=tt60", "--databases=orders\\nMode")
    refused(world, "runs without.* → Adopt it with --mode=relay, or stop the instance before", "main", "--instance=tt60", "--mode=inherit")
    refused(world, "must be one of", "main", "--instance=tt60", "--mode=other")
    # An impostor of another user sits where the server of 7.0, which does not run, has its port.
    port = DAEMON_PORTS["tt70"] + 2
    impostor = world.popen("setpriv", "--reuid=guest", "--regid=guest", "--clear-groups", "perl", "-MIO::Socket::INET", "-e",
                           f"my $s = IO::Socket::INET->new(LocalPort => {port}, Listen => 5) or die; sleep 600")
    wait_until(lambda: port in world.listeners(), 20, "the impostor to listen")
    refused(world, rf"Port {port} is listened on by process \d+ \(perl\), not by", "other", "--instance=tt70")
    world.run("pkill", "-u", "guest", "-x", "perl")
    impostor.wait()
    equal(files(world), before, "what lies about after refusals")
    equal(world.servers("tt60"), [server], "the server's process after refusals")
    jobs = world.bus.manager("ListJobs")
    told = world.run("ttctl", "adopt", "main", "--instance=tt60", "--dry-run")
    check(re.search(rf"port-owner main: .*process {server},", told.out) and re.search(r"^4 +move-server ", told.out, re.M)
          and "An adoption may begin" in told.out, f"what a dry run says: {told}")
    equal((files(world), world.server_port(), world.bus.manager("ListJobs")), (before, PORT, jobs), "what a dry run leaves")


def keeper_and_server(world):
    [server] = world.servers("tt60")
    told = world.adopt()
    check("main is managed now" in told.out, f"ttctl said: {told}")
    refused(world, "There is a server main already", "main", "--instance=tt60")
    refused(world, f"Port {PORT} is that of server main already", "second", "--instance=tt60", f"--listen={PORT}")
    refused(world, "Instance tt60 backs server main already.* → Add the databases", "second", "--instance=tt60", "--listen=16009")
    equal(world.bus.properties("Server", "main")["Sessions"], 0, "the sessions without a client")
    # Counted by the kernel, because nobody of ours accepted them.
    world.start_clients(2, reconnect_every=0)
    wait_until(lambda: world.bus.properties("Server", "main")["Sessions"] == 2, 30, "the sessions of the adopted server to be told")
    world.start_clients(4)
    world.settle()
    # A keeper that comes after one that was killed has the socket and knows who accepts.
    keeper = world.unit(KEEPER, "MainPID")
    world.run("kill", "-9", keeper)
    wait_until(lambda: world.unit(KEEPER, "MainPID") not in ("0", keeper) and world.unit(KEEPER) == "active", 30, "a new keeper")
    equal(world.keeper("guest"), int(server), "the process that the new keeper knows to accept")
    check(world.systemctl("stop", KEEPER, check=False).status != 0, "the keeper could be stopped, which closes the port")
    world.systemctl("daemon-reload")
    equal(world.unit(SOCKET), "active", "the socket unit after a reload")
    world.settle()
    # As long as the server lives every client is its own, although a connect wakes both of them.
    with world.taken_port(world.server_port()):
        for _ in range(20):
            world.ttclient(timeout=30)
    # A hold closes the door before the server, and a resume opens it again.
    world.run("ttctl", "hold", "main", "60s")
    equal(world.keeper("state"), "hold", "the state of the port")
    check(not world.connects(), "a connect was accepted during a hold")
    world.run("ttctl", "resume", "main")
    world.settle()
    equal(world.servers("tt60"), [server], "the process of the server")
    # Its end without any notice: whoever comes waits until it is back, behind the keeper.
    world.run("kill", "-9", server)
    wait_until(lambda: world.keeper("guest") == 0, 20, "the keeper to see the server's end")
    world.settle(timeout=120)
    equal(world.server_port(), int(world.keeper("backend").split(":")[1]), "the port in the option file")
    check(world.servers("tt60") not in ([], [server]), "no new server runs")
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "rows that were acknowledged and are lost")
    equal(report.refused, 0, "connects that were refused")


def stopped(world):
    port = DAEMON_PORTS["tt70"] + 2
    done = world.run("ttctl", "adopt", "other", "--instance=tt70")
    check("other is managed now" in done.out, f"ttctl said: {done}")
    check(port not in world.listeners(), "the port of a server that does not run was opened")
    world.systemctl("start", "timesten-server@other.socket")
    world.systemctl("stop", "timesten-server@other.socket")


def test(world):
    world.expect(r"systemd: timesten-server@main.service: (Main process exited|Failed with result)", r"upgrade-job: (Step|Job|Check)",
                 r"timesten-upgraded: Job \d+", r"timesten-job@\d+.service", "Failed to start timesten-job",
                 r"port-keeper: ", r"timesten-util-.*")
    refusals(world)
    keeper_and_server(world)
    stopped(world)


run(test, machine=Unmanaged, rows=500)
