#!/usr/bin/env python3
"""shrinks.py NAME: watches the processes of that name, and says "ready" first. Ends when one of them has given back
a tenth of its memory that is no file, and says from how much to how much, in kB; after 15 s with status 1, and
what each had at most and last. Called by t/42-memory.sh."""
import glob
import sys
import time

most, last = {}, {}


def look(proc, name):
    with open(proc + "/comm") as f:
        if f.read().strip() != name[:15]:
            return False
    with open(proc + "/smaps_rollup") as f:
        now = sum(int(line.split()[1]) for line in f if line.startswith("Anonymous:"))
    last[proc] = now
    most[proc] = max(now, most.get(proc, 0))
    return 0 < now * 10 <= most[proc] * 9


def main(name):
    print("ready", flush=True)
    end = time.monotonic() + 15
    while time.monotonic() < end:
        for proc in glob.glob("/proc/[0-9]*"):
            try:
                if look(proc, name):
                    print("from", most[proc], "to", last[proc], flush=True)
                    return 0
            except OSError:  # it has ended
                pass
        time.sleep(0.01)
    print("none:", *("%d, %d;" % (most[proc], last[proc]) for proc in most), flush=True)
    return 1


sys.exit(main(sys.argv[1]))
