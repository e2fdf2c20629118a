#!/usr/bin/env python3
"""rss.py NAME: watches the processes of that name until SIGTERM, then prints a line for each that no other
one of them has started, with its children of that name: the most that was ever seen, in kB, of

    processes   how many
    one         the resident memory of the one that has most
    rss         their resident memory, pages that they share with others counted in each
    once        the same with files' pages counted once: those of the process that has most of them
    pss         their share: a page that n processes have counts 1/n in each
    own         what only they have, written to: what one session more would cost

Those that are there for a moment only (a child before it becomes sendmail) are left out.
rss is a peak that the kernel keeps (VmHWM); the others are what was seen. Called by t/42-memory.sh.
"""
import glob
import signal
import sys
import time

seen = {}


def fields(path):
    found = {}
    with open(path) as f:
        for line in f:
            name, _, rest = line.partition(":")
            words = rest.split()
            if words and words[0].isdigit():
                found[name] = int(words[0])
    return found


def look(pid, name):
    with open("/proc/%d/comm" % pid) as f:
        if f.read().strip() != name[:15]:
            return
    status, rollup = fields("/proc/%d/status" % pid), fields("/proc/%d/smaps_rollup" % pid)
    now = {"parent": status["PPid"], "rss": status["VmHWM"], "file": status["RssFile"],
           "anon": status["RssAnon"] + status["RssShmem"], "pss": rollup["Pss"],
           "own": rollup["Private_Dirty"], "looks": 0}
    old = seen.setdefault(pid, now)
    old["looks"] += 1
    for key in ("rss", "file", "anon", "pss", "own"):
        old[key] = max(old[key], now[key])


def tell(*_):
    stayed = {pid: p for pid, p in seen.items() if p["looks"] > 4}
    for pid, top in sorted(stayed.items()):
        if top["parent"] in stayed:
            continue
        all_ = [top] + [p for p in stayed.values() if p["parent"] == pid]
        print("processes=%d one=%d rss=%d once=%d pss=%d own=%d" % (
            len(all_), max(p["rss"] for p in all_), sum(p["rss"] for p in all_), max(p["file"] for p in all_) + sum(p["anon"] for p in all_),
            sum(p["pss"] for p in all_), sum(p["own"] for p in all_)))
    sys.exit(0)


def main():
    signal.signal(signal.SIGTERM, tell)
    print("ready", flush=True)
    while True:
        for path in glob.glob("/proc/[0-9]*"):
            try:
                look(int(path[6:]), sys.argv[1])
            except (OSError, KeyError):  # gone meanwhile
                pass
        time.sleep(0.002)


main()
