"""saboteur.py SEED PAUSE STOP-FILE NAME=PID... - breaks things on the hosts of a test world until STOP-FILE is there. Called by chaos/run.
saboteur.py --kinds - the kinds of fault.

NAME=PID: hosts a (sends), b (receives) and wire (has the name server), by the process that is their init. Every PAUSE
seconds on average one fault, by the seed (kinds.py has how to choose); what it breaks for a while it mends, at the latest
at its end, and meanwhile it leaves that thing alone. Each is a line on standard output: seconds since the start, the kind,
what it met, and what that was about. Signals are here; the faults of machines are in machines.py.
"""
import os
import random
import signal
import subprocess
import sys
import threading
import time

import kinds
import machines

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "hup": signal.SIGHUP, "stop": signal.SIGSTOP}
VICTIMS = {"mailer": "a", "mailer-engine": "a", "resolver": "a", "keeper": "a", "kept-engine": "a", "queue-run": "a",
           "receiver": "b", "receiver-engine": "b", "back-end": "b", "inetd": "b"}
HITS = [signal_name + "@" + victim for victim in VICTIMS for signal_name in SIGNALS]
LOOK = 2  # seconds: who comes from outside is not seen any sooner
PATIENCE = 1  # seconds in which a victim may come
KINDS = kinds.wanted(HITS + list(machines.THINGS))


class Process:
    """As /proc tells it; OSError when it is gone."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/stat" % pid, encoding="latin-1") as file:
            text = file.read()
        words = text[text.rindex(")") + 2:].split()
        self.name = text[text.index("(") + 1:text.rindex(")")]
        self.parent, self.born = int(words[1]), int(words[19]) / os.sysconf("SC_CLK_TCK")

    def number(self):
        """On its host, as that host's log has it."""
        with open("/proc/%d/status" % self.pid, encoding="latin-1") as file:
            return int(next(line for line in file if line.startswith("NSpid:")).split()[-1])

    def title(self):
        """sendmail's tells what it is doing."""
        with open("/proc/%d/cmdline" % self.pid, "rb") as file:
            return file.read().replace(b"\0", b" ").decode("latin-1").strip()

    def opened(self, number):
        try:
            return os.readlink("/proc/%d/fd/%d" % (self.pid, number))
        except OSError:
            return ""

    def has_connection(self):
        """To another host's port 25, it or who shares its descriptors."""
        with open("/proc/%d/net/tcp" % self.pid, encoding="ascii") as file:
            remote = {"socket:[%s]" % line.split()[9] for line in file if line.split()[2].endswith(":0019")}
        return any(self.opened(int(fd)) in remote for fd in os.listdir("/proc/%d/fd" % self.pid))


class Saboteur:
    def __init__(self):
        self.rng = random.Random(sys.argv[1])
        self.hosts = {name: int(pid) for name, pid in (word.split("=") for word in sys.argv[4:])}
        self.world = os.path.dirname(sys.argv[3])
        self.begin = time.monotonic()
        self.mending = {}  # what is broken, and the thread that will mend it
        self.heads, self.looked = {}, {}
        self.machines = machines.Machines(self)

    def say(self, *words):
        print("%.1f" % (time.monotonic() - self.begin), *words, flush=True)

    def on(self, host, *command):
        """Runs a command there; its output."""
        return subprocess.run(["nsenter", "-t", str(self.hosts[host]), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               *command], check=False, capture_output=True, stdin=subprocess.DEVNULL).stdout

    @staticmethod
    def number(pid):
        """As Process.number(), or "gone"."""
        try:
            return str(Process(pid).number())
        except OSError:
            return "gone"

    def path(self, host, path):
        return "/proc/%d/root%s" % (self.hosts[host], path)

    def later(self, thing, action, longest=4):
        """In some seconds; until then that thing is left alone."""
        wait = self.rng.uniform(0.3, longest)

        def run():
            time.sleep(wait)
            try:
                action()
            except (OSError, subprocess.SubprocessError) as fault:
                self.say("not mended:", thing, fault)
        thread = self.mending[thing] = threading.Thread(target=run)
        thread.start()

    def is_broken(self, thing):
        return thing in self.mending and self.mending[thing].is_alive()

    def processes(self, host):
        """By number: those without a parent there, which a look at the whole machine finds now and then, and their children."""
        if time.monotonic() > self.looked.get(host, -LOOK) + LOOK:
            self.look(host)
        found, left = {}, list(self.heads[host])
        while left:
            pid = left.pop()
            try:
                found[pid] = Process(pid)
                left += map(int, machines.read("/proc/%d/task/%d/children" % (pid, pid)).split())
            except OSError:
                continue
        return found

    def look(self, host):
        space, here = os.readlink("/proc/%d/ns/pid" % self.hosts[host]), {}
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            try:
                if os.readlink("/proc/%d/ns/pid" % pid) == space:
                    here[pid] = Process(pid)
            except OSError:
                continue
        self.heads[host] = [pid for pid, process in here.items() if process.parent not in here]
        self.looked[host] = time.monotonic()

    def victims(self, victim):
        """Those processes, and what the host's sendmail beside each is doing."""
        host = VICTIMS[victim]
        everyone = self.processes(host)
        for process in everyone.values():
            parent = everyone.get(process.parent)
            name, above = process.name, parent.name if parent else ""
            try:
                if self.is_one(victim, process, name, above, process.parent == self.hosts[host]):
                    children = [child for child in everyone.values() if child.parent == process.parent or
                                child.parent == process.pid]
                    yield process, next((other.title() for other in [process, parent, *children]
                                         if other and other.name.startswith("sendmail")), "")
            except OSError:
                continue

    @staticmethod
    def is_one(victim, process, name, above, is_orphan):
        """To look at descriptors takes long, and mailers live for milliseconds: so that is last."""
        is_child = above == name
        if victim == "inetd":
            return name == "inetd" and is_orphan
        if victim in ("receiver", "receiver-engine"):
            return name == "blackpony-recei" and is_child == (victim == "receiver-engine")
        if victim == "back-end":
            return name.startswith("sendmail") and above == "blackpony-recei"
        if victim == "queue-run":
            return name.startswith("sendmail") and above in ("sendmail-mta", "sh")
        if name != "blackpony-maile":
            return False
        if victim == "mailer":
            return above.startswith("sendmail")
        if victim in ("mailer-engine", "resolver"):
            return is_child and process.opened(0).startswith(("pipe", "socket")) == (victim == "mailer-engine")
        return is_orphan and process.has_connection() == (victim == "kept-engine")

    def strike(self, kind):
        """True if there was somebody: some are there for some milliseconds only."""
        which, victim = kind.split("@")
        end, found = time.monotonic() + PATIENCE, []
        while not found and time.monotonic() < end:
            found = sorted(self.victims(victim), key=lambda pair: pair[0].pid)
        if not found or victim == "inetd" and self.is_broken("inetd"):
            return False
        process, doing = self.rng.choice(found)
        age = float(machines.read("/proc/uptime").split()[0]) - process.born
        try:
            number = process.number()
            os.kill(process.pid, SIGNALS[which])
        except (ProcessLookupError, FileNotFoundError):
            return False
        self.say(kind, number, "%.2f s old," % age, doing)
        if which == "stop":
            self.later("inetd" if victim == "inetd" else process.pid, lambda: self.go_on(process.pid))
        elif victim == "inetd" and which != "hup":
            self.later("inetd", self.machines.start_inetd)
        return True

    @staticmethod
    def go_on(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def run(self):
        hits = [kind for kind in KINDS if kind in HITS]
        things = [kind for kind in KINDS if kind not in HITS]
        while not os.path.exists(sys.argv[3]):
            time.sleep(self.rng.expovariate(1 / float(sys.argv[2])))
            try:
                if hits and (not things or self.rng.random() < 0.6):
                    any(self.strike(self.rng.choice(hits)) for _ in range(5))  # many meet nobody
                elif things:
                    self.machines.strike(self.rng.choice(things))
                if not self.is_broken("inetd"):
                    self.machines.start_inetd()  # one that was told to end may take its time
            except OSError as fault:
                self.say("not broken:", fault)  # it had gone meanwhile
        for thread in list(self.mending.values()):
            thread.join()
        self.machines.end()


if __name__ == "__main__":
    Saboteur().run()
