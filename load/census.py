"""census.py - what there is on this host of all that blackpony could leave behind. Called on a host of the test world by
load/leaks.sh, when all is at rest: two of these must be the same. A line "what: how much" each:

    processes of a name; those of ours by what they do (the first words of their title)
    files open in those that live long: inetd, sendmail's daemon; the kept sessions' have ended
    network namespaces, those of processes and those that a mount keeps; mounts
    UNIX sockets; those of kept sessions that somebody listens at; TCP sockets
    the pin store: readers that LMDB knows of, entries, size
    slots that are taken
    each file in /run/blackpony and /var/lib/blackpony (names of kept sessions aside, which are reused)
    messages in the queue

"census.py most" tells something else, while there is traffic: the most files that one process of ours has open, of which
kind it is, and how many of ours there are.
"""
import collections
import os
import re
import subprocess
import sys

PINS, KEPT, RUN = "/var/lib/blackpony", "/var/lib/blackpony/kept", "/run/blackpony"
RECEIVER = "/usr/libexec/blackpony/blackpony-receiver"
OURS = ("blackpony-maile", "blackpony-recei")
LONG = ("inetd", "xinetd", "sendmail-mta", "systemd")


def text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def said(*command):
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    except OSError:
        return ""


def family():
    """This process and those that wait for it, which are no part of the host."""
    pid, found = os.getpid(), set()
    while pid > 1:
        found.add(str(pid))
        pid = int(re.search(r"^PPid:\t(\d+)", text("/proc/%d/status" % pid), re.M).group(1))
    return found


def processes():
    """(process id, name, title) of all the others."""
    own = family()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        name = text("/proc/%s/comm" % pid).strip()
        if name and pid not in own:
            yield pid, name, text("/proc/%s/cmdline" % pid).replace("\0", " ").strip()


def files(pid):
    try:
        return len(os.listdir("/proc/%s/fd" % pid))
    except OSError:
        return 0


def role(name, title):
    """What one of ours does, as its title has it: "blackpony-mailer: kept ..."."""
    found = re.match(r"blackpony-\w+: ([a-z]+)", title)
    return "%s %s" % (name, found.group(1)) if found else name


def count_processes(census):
    spaces = set()
    for pid, name, title in processes():
        census["processes, " + (role(name, title) if name in OURS else name)] += 1
        if name in LONG:
            census["files open, " + name] += files(pid)
        try:
            spaces.add(os.readlink("/proc/%s/ns/net" % pid))
        except OSError:
            pass
    mounts = text("/proc/self/mountinfo").splitlines()
    spaces.update(re.findall(r" (net:\[\d+\]) ", "\n".join(mounts)))
    census["network namespaces"] += len(spaces)
    census["mounts"] += len(mounts)


def count_sockets(census):
    sockets = text("/proc/net/unix").splitlines()[1:]
    census["UNIX sockets"] += len(sockets)
    census["kept sessions listened at"] += sum(KEPT + "/" in line for line in sockets)
    for name in ("tcp", "tcp6"):  # those that somebody has; what the kernel still takes leave of has no inode
        census["TCP sockets"] += sum(line.split()[9] != "0" for line in text("/proc/net/" + name).splitlines()[1:])


def count_pins(census):
    if not os.path.exists(PINS + "/data.mdb"):
        return
    census["pin store, readers"] += len(re.findall(r"^ *\d+ +[0-9a-f]+ ", said("mdb_stat", "-r", PINS), re.M))
    census["pin store, entries"] += sum(map(int, re.findall(r"^  Entries: (\d+)", said("mdb_stat", "-a", PINS), re.M)))
    # A reader or a killed writer may keep it from reusing a page; it must not go on.
    census["pin store, begun units of 256 kB"] += -(-os.path.getsize(PINS + "/data.mdb") // 262144)


def count_files(census):
    for place in (RUN, PINS):
        for directory, _, names in os.walk(place):
            for name in names if directory != KEPT else ():
                census["file %s/%s" % (directory, name)] += 1
    if os.path.isdir(KEPT):  # 64 at most (mailer/keep.h), reused
        census["more than 64 names of kept sessions"] += max(0, len(os.listdir(KEPT)) - 64)
    for queue in ("/var/spool/mqueue", "/var/spool/mqueue-client"):
        if os.path.isdir(queue):
            census["messages in " + queue] += sum(name.startswith("qf") for name in os.listdir(queue))


def most():
    ours = [(files(pid), role(name, title)) for pid, name, title in processes() if name in OURS]
    print("%d %d %s" % (len(ours), *max(ours, default=(0, "-"))))


def main():
    census = collections.Counter()
    count_processes(census)
    count_sockets(census)
    count_pins(census)
    if found := re.search(r"; now (\d+)$", said(RECEIVER, "--check"), re.M):
        census["slots taken"] += int(found.group(1))
    count_files(census)
    for what in sorted(census):
        if census[what]:
            print("%s: %d" % (what, census[what]))


if __name__ == "__main__":
    most() if sys.argv[1:] == ["most"] else main()
