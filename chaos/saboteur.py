"""saboteur.py SEED PAUSE STOP-FILE NAME=PID... - breaks things on the hosts of a test world until STOP-FILE is there. Called by chaos/run.

NAME=PID: hosts a (sends), b (receives) and wire (has the name server), by the process that is their init. Every PAUSE
seconds on average one fault, by the seed; what it breaks for a while it mends, at the latest at its end. Each is a line
on standard output: seconds since the start, the fault, what it met.
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

PROGRAMS = "/usr/libexec/blackpony"
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP)
VICTIMS = ("mailer", "mailer's child", "receiver", "receiver's engine", "back end", "queue run", "keeper")
THINGS = ("name server stopped", "name server dead", "spool full", "pins full", "pins read-only", "log full", "inetd dead",
          "no descriptors", "no memory", "no key", "upgrade")


class Process:
    """As /proc tells it; OSError when it is gone."""

    def __init__(self, pid):
        self.pid = pid
        with open("/proc/%d/stat" % pid, encoding="latin-1") as file:
            text = file.read()
        self.name = text[text.index("(") + 1:text.rindex(")")]
        self.parent = int(text[text.rindex(")") + 2:].split()[1])
        self.space = os.readlink("/proc/%d/ns/pid" % pid)


class Saboteur:
    def __init__(self):
        self.rng = random.Random(sys.argv[1])
        self.hosts = {name: int(pid) for name, pid in (word.split("=") for word in sys.argv[4:])}
        self.begin = time.monotonic()
        self.mending = []  # threads that undo something

    def say(self, *words):
        print("%.1f" % (time.monotonic() - self.begin), *words, flush=True)

    def on(self, host, *command):
        """Runs a command there; its output."""
        return subprocess.run(["nsenter", "-t", str(self.hosts[host]), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                               *command], check=False, capture_output=True, stdin=subprocess.DEVNULL).stdout

    def path(self, host, path):
        return "/proc/%d/root%s" % (self.hosts[host], path)

    def later(self, action):
        """In up to four seconds; before that nothing else of the kind begins."""
        wait = self.rng.uniform(0.3, 4)

        def run():
            time.sleep(wait)
            action()
        thread = threading.Thread(target=run)
        thread.start()
        self.mending.append(thread)

    # --- processes ---

    def processes(self, host):
        space = os.readlink("/proc/%d/ns/pid" % self.hosts[host])
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                process = Process(int(pid))
            except OSError:
                continue
            if process.space == space:
                found[process.pid] = process
        return found

    def victims(self, kind):
        host = "b" if kind in ("receiver", "receiver's engine", "back end") else "a"
        everyone = self.processes(host)
        for process in everyone.values():
            parent = everyone[process.parent].name if process.parent in everyone else ""
            orphan = process.parent == self.hosts[host]
            if {"mailer": process.name == "blackpony-maile" and parent.startswith("sendmail"),
                    "mailer's child": process.name == "blackpony-maile" and parent == process.name,
                    "keeper": process.name == "blackpony-maile" and orphan,
                    "receiver": process.name == "blackpony-recei" and parent == "inetd",
                    "receiver's engine": process.name == "blackpony-recei" and parent == process.name,
                    "back end": process.name.startswith("sendmail") and parent == "blackpony-recei",
                    "queue run": process.name.startswith("sendmail") and parent in ("sendmail-mta", "sh")}[kind]:
                yield process.pid

    def strike(self, kind):
        pids = sorted(self.victims(kind))
        if not pids:
            return
        pid, which = self.rng.choice(pids), self.rng.choice(SIGNALS)
        try:
            os.kill(pid, which)
        except ProcessLookupError:
            return
        self.say(which.name, kind)
        if which == signal.SIGSTOP:
            self.later(lambda: self.go_on(pid))

    @staticmethod
    def go_on(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    # --- things ---

    def name_servers(self):
        return [process.pid for process in self.processes("wire").values() if process.name.startswith("nsd")]

    def name_server_stopped(self):
        pids = self.name_servers()
        starters = [Process(pid).parent for pid in pids]  # nsenter(1) stops with what it has started
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.later(lambda: [self.go_on(pid) for pid in pids + starters])

    def name_server_dead(self):
        for pid in self.name_servers():
            os.kill(pid, signal.SIGKILL)
        self.later(lambda: self.on("wire", "nsd", "-c", "/etc/nsd/nsd.conf"))

    def full(self, host, directory):
        """chaos/run has made it a file system of its own."""
        filler = self.path(host, directory + "/filler")
        try:
            with open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
        self.later(lambda: os.path.exists(filler) and os.unlink(filler))

    def spool_full(self):
        self.full(self.rng.choice("ab"), "/var/spool")

    def pins_full(self):
        self.full("a", "/var/lib/blackpony")

    def log_full(self):
        # Not a's: it is what accounts for copies.
        self.full("b", "/var/log")

    def pins_read_only(self):
        self.on("a", "mount", "-o", "remount,ro", "/var/lib/blackpony")
        self.later(lambda: self.on("a", "mount", "-o", "remount,rw", "/var/lib/blackpony"))

    def inetd(self):
        return [process.pid for process in self.processes("b").values() if process.name == "inetd"]

    def inetd_dead(self):
        for pid in self.inetd():
            os.kill(pid, signal.SIGKILL)
        self.later(lambda: self.on("b", "sh", "-c", "inetd"))

    def limited(self, limit, here, before):
        """For what inetd starts from now on."""
        pids = self.inetd()
        for pid in pids:
            subprocess.run(["prlimit", "--pid", str(pid), "--%s=%d:" % (limit, here)], check=False)
        self.later(lambda: [subprocess.run(["prlimit", "--pid", str(pid), "--%s=%s:" % (limit, before)], check=False,
                                           stderr=subprocess.DEVNULL) for pid in pids])

    def no_descriptors(self):
        self.limited("nofile", self.rng.randrange(6, 16), "1024")

    def no_memory(self):
        self.limited("as", self.rng.randrange(2, 40) << 20, "unlimited")

    def no_key(self):
        host = self.rng.choice("ab")
        key = self.path(host, "/etc/blackpony/hostkey")
        if os.path.exists(key):
            os.rename(key, key + ".away")
            self.later(lambda: os.rename(key + ".away", key))

    def upgrade(self):
        for host in "ab":
            for name in ("blackpony-mailer", "blackpony-receiver"):
                program = self.path(host, "%s/%s" % (PROGRAMS, name))
                shutil.copy2(program, program + ".new")
                os.rename(program + ".new", program)

    def run(self):
        while not os.path.exists(sys.argv[3]):
            time.sleep(self.rng.expovariate(1 / float(sys.argv[2])))
            self.mending = [thread for thread in self.mending if thread.is_alive()]
            if self.rng.random() < 0.7:
                self.strike(self.rng.choice(VICTIMS))
            elif not self.mending:
                thing = self.rng.choice(THINGS)
                getattr(self, thing.replace(" ", "_").replace("-", "_"))()
                self.say(thing)
        for thread in self.mending:
            thread.join()


if __name__ == "__main__":
    Saboteur().run()
