"""kills.py SEED PAUSE - kills blackpony's processes on this host, one every PAUSE seconds on average, until SIGTERM. Called
by load/soak on its hosts. Which one, and by which signal, is of the seed, as far as what there is to kill is.

All of the mailer's; of the receiver's those that have a back end by now: a host that takes connections and does not greet
is left alone for half an hour (blackpony-mailer(8)), and its mail would wait so long. Each is a line "signal what".
"""
import os
import random
import re
import signal
import sys
import time

import census

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)


def parent(pid):
    found = re.search(r"^PPid:\t(\d+)", census.text("/proc/%s/status" % pid), re.M)
    return found.group(1) if found else ""


def victims():
    everyone = list(census.processes())
    serving = {parent(pid) for pid, name, _ in everyone if name.startswith("sendmail")}
    for pid, name, title in everyone:
        if name == "blackpony-maile" or name == "blackpony-recei" and (pid in serving or parent(pid) in serving):
            yield int(pid), census.role(name, title)


def main():
    rng = random.Random(sys.argv[1])
    while True:
        time.sleep(rng.expovariate(1 / float(sys.argv[2])))
        found = sorted(victims())
        which = rng.choice(SIGNALS)
        if not found:
            continue
        pid, what = rng.choice(found)
        try:
            os.kill(pid, which)
        except ProcessLookupError:
            continue
        print(which.name, what, flush=True)


main()
