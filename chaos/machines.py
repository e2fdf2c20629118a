"""machines.py - faults of machines: name servers, disks, logs, limits, namespaces, clocks, keys, inetd, upgrades. Used by saboteur.py.

Each fault is a method of Machines, and is mended by itself after some seconds.
"""
import os
import resource
import shutil
import signal
import struct
import subprocess
import time

import names

PROGRAMS = ("/usr/libexec/blackpony/blackpony-mailer", "/usr/libexec/blackpony/blackpony-receiver")
SPOOL, PINS, LOG, KEY = "/var/spool", "/var/lib/blackpony", "/var/log", "/etc/blackpony/hostkey"
RUNNER = b"sendmail-mta -Am -qf"
NAMESPACE = "/run/blackpony"

# Kind: the thing that is broken, the method, what it is told. A thing is broken once at a time.
THINGS = {
    "stopped@names": ("names", "names_stopped"),
    "dead@names": ("names", "names_dead"),
    "full@queue": ("queue", "full", "ab", SPOOL),
    "read-only@queue": ("queue", "read_only", "ab", SPOOL),
    "full@pins": ("pins", "full", "a", PINS),
    "read-only@pins": ("pins", "read_only", "a", PINS),
    "full@log": ("log", "full", "b", LOG),  # a's is what accounts for copies
    "read-only@log": ("log", "read_only", "b", LOG),
    "stopped@log": ("log", "log_stopped"),
    "gone@log": ("log", "log_gone"),
    "replaced@key": ("key", "key_replaced"),
    "rotated@key": ("key", "key_rotated"),
    "gone@key": ("key", "key_gone"),
    "unreadable@key": ("key", "key_mode", 0),
    "open@key": ("key", "key_mode", 0o644),
    "garbage@key": ("key", "key_garbage"),
    "restarted@inetd": ("inetd", "inetd_restarted"),
    "refused@namespace": ("inetd", "namespace_refused"),
    "gone@namespace": ("namespace", "namespace_gone"),
    "forward@clock": ("clock", "clock_stepped", 1),
    "back@clock": ("clock", "clock_stepped", -1),
    "other@programs": ("programs", "upgraded"),
    "same@programs": ("programs", "upgraded_to_same"),
}
for lie in names.LIES:
    THINGS[lie.__name__.replace("_", "-") + "@names"] = ("names", "names_lying", lie.__name__.replace("_", "-"))
for limit in ("descriptors", "memory", "processes"):
    for target in ("inetd", "runners", "receiver", "mailer", "back-end", "queue-run"):
        THINGS["%s@%s" % (limit, target)] = ("limit of " + target, "limited", limit, target)
for target in ("inetd", "runners"):
    THINGS["group-memory@" + target] = ("group of " + target, "group_full", "memory", target)
    THINGS["group-processes@" + target] = ("group of " + target, "group_full", "pids", target)

LIMITS = {"descriptors": (resource.RLIMIT_NOFILE, lambda rng: rng.randrange(3, 18)),
          "memory": (resource.RLIMIT_AS, lambda rng: rng.randrange(1, 40) << 20),
          "processes": (resource.RLIMIT_NPROC, lambda rng: rng.randrange(0, 12))}
GROUPS = {"pids": ("pids.max", "pids.current", "max"),
          "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "-1")}


class Machines:
    def __init__(self, saboteur):
        self.saboteur, self.rng = saboteur, saboteur.rng
        self.on, self.path, self.later = saboteur.on, saboteur.path, saboteur.later
        self.clocks, self.first, self.runners = {}, {}, None

    def strike(self, kind):
        """Not where that is broken already."""
        thing, method, *more = THINGS[kind]
        if self.saboteur.is_broken(thing):
            return
        told = getattr(self, method)(thing, *more)
        if told is not None:
            self.saboteur.say(kind, told)

    def end(self):
        for group in self.groups():
            for _ in range(100):  # who is in it has children meanwhile, or ends
                try:
                    os.rmdir(group)
                    break
                except OSError:
                    empty(group)
            else:
                self.saboteur.say("left behind:", group)

    # --- the name server ---

    def name_servers(self):
        return [process.pid for process in self.saboteur.processes("wire").values() if process.name.startswith("nsd")]

    def names_stopped(self, thing):
        pids = self.name_servers()
        starters = [process.parent for process in self.saboteur.processes("wire").values() if process.pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        # nsenter(1) stops with what it has started.
        self.later(thing, lambda: [self.saboteur.go_on(pid) for pid in pids + starters])
        return ""

    def kill_names(self):
        for pid in self.name_servers():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it had several, and they end together

    def start_names(self):
        self.on("wire", "nsd", "-c", "/etc/nsd/nsd.conf")

    def names_dead(self, thing):
        self.kill_names()
        self.later(thing, self.start_names)
        return ""

    def names_lying(self, thing, lie):
        self.kill_names()
        liar = subprocess.Popen(["nsenter", "-t", str(self.saboteur.hosts["wire"]), "-a", "python3", names.__file__, "10.77.0.53",
                                 lie], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)

        def mend():
            os.killpg(liar.pid, signal.SIGKILL)
            liar.wait()
            self.start_names()
        self.later(thing, mend)
        return ""

    # --- disks and logs ---

    def full(self, thing, hosts, directory):
        """chaos/run has made it a file system of its own."""
        host = self.rng.choice(hosts)
        filler = self.path(host, directory + "/filler")
        for size in (1 << 20, 4096, 512):
            try:
                with open(filler, "ab", buffering=0) as file:
                    while True:
                        file.write(bytes(size))
            except OSError:
                pass
        self.later(thing, lambda: os.unlink(filler))
        return host

    def read_only(self, thing, hosts, directory):
        """Over it lies what has no writer yet; who is there already goes on, who comes now cannot write."""
        host = self.rng.choice(hosts)
        self.on(host, "sh", "-c", "mount --bind $0 $0 && mount -o remount,bind,ro $0", directory)
        self.later(thing, lambda: self.on(host, "umount", "-l", directory))
        return host

    def log_stopped(self, thing):
        """syslog takes nothing: who logs waits, or loses the line."""
        host = self.rng.choice("ab")
        pid = self.saboteur.hosts[host]
        os.kill(pid, signal.SIGSTOP)
        self.later(thing, lambda: self.saboteur.go_on(pid))
        return host

    def log_gone(self, thing):
        log = self.path("b", "/dev/log")
        os.rename(log, log + ".away")
        self.later(thing, lambda: os.rename(log + ".away", log))
        return "b"

    # --- inetd, limits, namespaces ---

    def inetd(self):
        return [process.pid for process in self.saboteur.processes("b").values()
                if process.name == "inetd" and process.parent == self.saboteur.hosts["b"]]

    def stop_inetd(self):
        """A killed process can be seen for a while."""
        for _ in range(500):
            pids = self.inetd()
            if not pids:
                break
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def start_inetd(self):
        """What else is broken may not let it start at once."""
        for _ in range(50):
            if self.inetd():
                break
            self.on("b", "sh", "-c", "inetd")
            time.sleep(0.1)

    def inetd_restarted(self, thing):
        for pid in self.inetd():
            os.kill(pid, signal.SIGTERM)
        self.later(thing, self.start_inetd, 1)
        return ""

    def namespace_refused(self, thing):
        """What inetd starts may not have a namespace, nor go into the kept one."""
        self.stop_inetd()
        self.on("b", "setpriv", "--bounding-set=-sys_admin", "inetd")

        def mend():
            self.stop_inetd()
            self.start_inetd()
        self.later(thing, mend)
        return ""

    def namespace_gone(self, thing):
        """The kept one, under the feet of who uses it."""
        gone = self.on("b", "sh", "-c", "for i in $0/* $0; do umount -l $i 2>/dev/null && echo $i; done; rm -rf $0/*", NAMESPACE)
        self.later(thing, lambda: None, 0.4)
        return gone.decode().replace("\n", " ")

    def targets(self, target):
        if target == "inetd":
            return self.inetd()
        if target == "runners":
            found = [process.pid for process in self.saboteur.processes("a").values()
                     if process.name == "sh" and RUNNER in command_of(process.pid)]
            self.runners = self.runners or [command_of(pid) for pid in found]
            return found
        return [self.rng.choice(found).pid for found in [sorted((process for process, _ in self.saboteur.victims(target)),
                                                                key=lambda process: process.pid)] if found]

    def limited(self, thing, limit, target):
        """That process, and what it starts from now on."""
        pids = self.targets(target)
        if not pids:
            return None
        number, choose = LIMITS[limit]
        here, before = choose(self.rng), {}
        for pid in pids:
            try:
                before[pid] = resource.prlimit(pid, number)
                resource.prlimit(pid, number, (here, before[pid][1]))
            except OSError:  # it is gone, or of another user and the machine lets nobody
                before.pop(pid, None)
        if not before:
            return None

        def mend():
            for pid, limits in before.items():
                try:
                    resource.prlimit(pid, number, limits)
                except OSError:
                    pass
            self.start_again(target)
        self.later(thing, mend)
        return "%d for %s" % (here, " ".join(map(self.saboteur.number, before)))

    def groups(self):
        return [group for kind in GROUPS for target in ("inetd", "runners")
                for group in [self.group(kind, target)] if group and os.path.isdir(group)]

    def group(self, kind, target):
        """Control groups, version 1, as this machine has them; below the one that we are in."""
        with open("/proc/self/cgroup", encoding="ascii") as file:
            for line in file:
                _, controllers, path = line.strip().split(":", 2)
                if kind in controllers.split(","):
                    return "/sys/fs/cgroup/%s%s/chaos-%d-%s" % (kind, path.rstrip("/"), os.getpid(), target)
        return None

    def group_full(self, thing, kind, target):
        """What they and their children have together may hardly grow."""
        group, pids = self.group(kind, target), self.targets(target)
        if not group or not pids:
            return None
        top, now, unlimited = GROUPS[kind]
        try:
            os.makedirs(group, exist_ok=True)
            for pid in pids:
                write(group + "/cgroup.procs", pid)
            used = int(read(group + "/" + now))
            here = used + (self.rng.randrange(4) if kind == "pids" else self.rng.randrange(1 << 18, 8 << 20))
            write(group + "/" + top, here)
        except OSError as fault:
            return "not here: %s" % fault

        def mend():
            write(group + "/" + top, unlimited)
            self.start_again(target)
        self.later(thing, mend)
        return "%s %d, used %d" % (top, here, used)

    def start_again(self, target):
        """What has not survived."""
        if target == "inetd":
            self.start_inetd()
        for _ in range(len(self.runners or []) - len(self.targets("runners"))):
            # pylint: disable-next=consider-using-with
            subprocess.Popen(["nsenter", "-t", str(self.saboteur.hosts["a"]), "-a", "env", "-i",
                              "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *self.runners[0].decode().split("\0")[:-1]],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # --- clocks ---

    def clock(self, host):
        """What clock.c reads there."""
        if host not in self.clocks:
            library = self.saboteur.world + "/share/clock.so"
            if not os.path.exists(library):
                source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")
                subprocess.run(["cc", "-std=c11", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
            write(self.path(host, "/run/clock"), "\0" * 8)
            write(self.path(host, "/etc/ld.so.preload"), library + "\n")
            self.clocks[host] = self.path(host, "/run/clock")
        return self.clocks[host]

    def clock_stepped(self, thing, sign):
        """Less than what sendmail gives a message up after."""
        host, seconds = self.rng.choice("ab"), sign * self.rng.choice((2, 61, 400, 3700, 90000))
        clock = self.clock(host)

        def step(value):
            with open(clock, "r+b", buffering=0) as file:
                file.write(struct.pack("=q", value))
        step(seconds)
        self.later(thing, lambda: step(0))
        return "%s by %d" % (host, seconds)

    # --- host keys ---

    def key_shared(self):
        """For stranger.py, who is b too."""
        share = self.saboteur.world + "/share/b.key"
        shutil.copy(self.path("b", KEY), share + ".new")
        os.rename(share + ".new", share)

    def key_away(self, thing, host):
        """The key, and its way back."""
        key = self.path(host, KEY)
        os.rename(key, key + ".away")
        self.later(thing, lambda: os.rename(key + ".away", key))
        return key

    def key_gone(self, thing):
        host = self.rng.choice("ab")
        self.key_away(thing, host)
        return host

    def key_replaced(self, thing):
        host = self.rng.choice("ab")
        self.key_away(thing, host)
        self.on(host, "blackpony-keygen", "-q", "-g", "blackpony")
        return host

    def key_mode(self, thing, mode):
        host = self.rng.choice("ab")
        key = self.path(host, KEY)
        before = os.stat(key)
        os.chmod(key, mode)
        if mode == 0:
            os.chown(key, 0, 0)

        def mend():
            os.chown(key, before.st_uid, before.st_gid)
            os.chmod(key, before.st_mode & 0o777)
        self.later(thing, mend)
        return host

    def key_garbage(self, thing):
        """Of the right owner and mode, and not a key, or none yet."""
        host = self.rng.choice("ab")
        with open(self.path(host, KEY), "rb") as file:
            octets = file.read()
        before, key = os.stat(self.path(host, KEY)), self.key_away(thing, host)
        with open(key + ".new", "wb") as file:
            file.write(self.rng.choice((b"", octets[:self.rng.randrange(len(octets))], self.rng.randbytes(100),
                                        octets + self.rng.randbytes(70000))))
        os.chown(key + ".new", before.st_uid, before.st_gid)
        os.chmod(key + ".new", before.st_mode & 0o777)
        os.rename(key + ".new", key)
        return host

    def key_rotated(self, thing):
        """The next one takes its place, and one more is announced."""
        said = self.on("b", "sh", "-c", "k=blackpony-keygen; $k -q --rotate next; $k -q --rotate switch -a 0 && "
                       "$k -q --rotate retire; $k -q --rotate next; $k -l").decode().strip()
        self.key_shared()
        self.later(thing, lambda: None, 0.4)
        return said

    # --- upgrades ---

    def other_build(self, program):
        """From the directory CHAOS_OTHER, or this one with another version number and a longer file."""
        if "CHAOS_OTHER" in os.environ:
            with open(os.path.join(os.environ["CHAOS_OTHER"], os.path.basename(program)), "rb") as file:
                return file.read()
        return self.first[program].replace(b"\x000.1\0", b"\x000.0\0") + b"other"

    def put_programs(self, other):
        """As dpkg does it: written beside, renamed over."""
        for host in "ab":
            for program in PROGRAMS:
                path = self.path(host, program)
                if program not in self.first:
                    with open(path, "rb") as file:
                        self.first[program] = file.read()
                shutil.copy2(path, path + ".dpkg-new")
                with open(path + ".dpkg-new", "wb") as file:
                    file.write(self.other_build(program) if other else self.first[program])
                os.rename(path + ".dpkg-new", path)

    def upgraded(self, thing):
        self.put_programs(True)
        self.later(thing, lambda: self.put_programs(False))
        return ""

    def upgraded_to_same(self, thing):
        self.put_programs(False)
        self.later(thing, lambda: None, 0.4)
        return ""


def empty(group):
    """Its processes go to the control group above it."""
    for pid in read(group + "/cgroup.procs").split():
        try:
            write(os.path.dirname(group) + "/cgroup.procs", pid)
        except OSError:
            continue


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def write(path, value):
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))


def command_of(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read()
    except OSError:
        return b""
