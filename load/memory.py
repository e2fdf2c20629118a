"""memory.py HOST=PID... - what the two programs need of memory now, on the hosts whose init is that process, and what the
kernel does. Called by load/lib.sh, on the machine. A line "name value" each, in kB but for the processes:

    HOST_processes, HOST_pss   blackpony's own; their share: a page that n processes have counts 1/n
    HOST_tables, HOST_stacks   their page tables and kernel stacks, which are the kernel's
    kernel, slab, tcp          of the whole machine: slab, page tables, stacks, per-CPU memory and sockets' queues; two of them
"""
import os
import sys

STACK = 16  # kB, of a thread on x86-64
NAMES = ("blackpony-maile", "blackpony-recei")


def fields(path):
    with open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            name, _, rest = line.partition(":")
            if rest.split() and rest.split()[0].isdigit():
                yield name, int(rest.split()[0])


def count(hosts):
    found = {host: [0, 0, 0] for host in hosts.values()}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            host = hosts.get(os.readlink("/proc/%s/ns/pid" % pid))
            with open("/proc/%s/comm" % pid, encoding="ascii") as file:
                if host is None or file.read().strip() not in NAMES:
                    continue
            pss = dict(fields("/proc/%s/smaps_rollup" % pid))["Pss"]
            tables = dict(fields("/proc/%s/status" % pid))["VmPTE"]
        except (OSError, KeyError):  # gone meanwhile
            continue
        found[host] = [a + b for a, b in zip(found[host], (1, pss, tables))]
    return found


def sockets():
    """Pages of TCP's queues, of all network namespaces, in kB."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        for line in file:
            if line.startswith("TCP:"):
                words = line.split()
                return int(words[words.index("mem") + 1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    return 0


def main():
    hosts = {os.readlink("/proc/%s/ns/pid" % pid): host for host, pid in (word.split("=") for word in sys.argv[1:])}
    for host, (processes, pss, tables) in count(hosts).items():
        print("%s_processes %d\n%s_pss %d\n%s_tables %d\n%s_stacks %d" % (
            host, processes, host, pss, host, tables, host, processes * STACK))
    machine, tcp = dict(fields("/proc/meminfo")), sockets()
    kernel = sum(machine.get(name, 0) for name in ("Slab", "KernelStack", "PageTables", "Percpu"))
    print("kernel %d\nslab %d\ntcp %d" % (kernel + tcp, machine.get("Slab", 0), tcp))


main()
