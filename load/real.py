"""real.py RATE LEDGER - the real mail of load/: RATE messages a second (on average not more) from this host's sendmail
to bob@b.test, each with a sendmail of its own that tries at once, until SIGTERM. Called by load/lib.sh.

LEDGER gets "number sent" for each that sendmail has taken: from then on it must arrive. They do not wait for one
another, so a slow one does not hide the slowness of the next; no more than 60 are on their way. Ends with a line
"handed in N, not taken N".
"""
import signal
import subprocess
import sys
import threading
import time

import letters

SENDMAIL = ["/usr/sbin/sendmail-mta", "-Am", "-odi", "-oem", "-i", "-OQueueLA=999", "-ORefuseLA=999", "-f", "alice@a.test",
            "bob@b.test"]
stop = threading.Event()


class Real:
    def __init__(self, ledger):
        self.ledger, self.lock = ledger, threading.Lock()
        self.room = threading.Semaphore(60)
        self.taken = self.refused = 0

    def send(self, number):
        sent = time.time()
        done = subprocess.run(SENDMAIL, input=letters.letter("real", number, sent), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        with self.lock:
            if done.returncode == 0:
                self.taken += 1
                self.ledger.write("%d %.6f\n" % (number, sent))
                self.ledger.flush()
            else:
                self.refused += 1
        self.room.release()


def main():
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pause, threads = 1 / float(sys.argv[1]), []
    number = int(time.time() * 1000) * 1000  # of no earlier run
    with open(sys.argv[2], "a", encoding="ascii") as ledger:
        real = Real(ledger)
        while not stop.wait(pause):
            real.room.acquire()
            number += 1
            threads.append(threading.Thread(target=real.send, args=(number,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
        print("handed in %d, not taken %d" % (real.taken, real.refused), flush=True)


main()
