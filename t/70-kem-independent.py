"""70-kem-independent - our ML-KEM-768 against other people's: random exchanges both ways, equal in every
octet, changed ciphertexts among them. Always against t/lib/pony_mlkem.py, 100 times; with BLACKPONY_ALL
1,000 times, and against @noble/post-quantum under Node, whose two packages are fetched once into
$BLACKPONY_CACHE. (The last version for Node 18, which takes keys that are not reduced.)
"""
import hashlib
import os
import secrets
import subprocess
import sys

TOP = os.environ.get("abs_top_srcdir") or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("abs_top_builddir") or os.getcwd()
CACHE = os.environ.get("BLACKPONY_CACHE") or "/var/cache/blackpony-test"
ALL = os.environ.get("BLACKPONY_ALL")
sys.path.insert(0, os.path.join(TOP, "t/lib"))

import pony_mlkem  # noqa: E402

PACKAGES = (
    ("@noble/post-quantum", "0.4.1", "3858ef059d4b3fceca7f179e7470883bd5eb9eaf74457c1d00ec1746e5a90f3d"),
    ("@noble/hashes", "1.8.0", "e8a765d92c04faaccba8776411c5038cb195f812ee629fce07e1d2e6aec80ea0"),
)

run, failed = 0, 0


def ok(holds, name, remark=""):
    global run, failed
    run += 1
    failed += not holds
    print("%sok %d - %s" % ("" if holds else "not ", run, name))
    if not holds and remark:
        print("# " + remark)
    sys.stdout.flush()


class Lines:
    """An implementation behind a pipe (see t/tools/kem.c)."""

    def __init__(self, *command, **env):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **env))

    def ask(self, word, *octets):
        print(word, *(o.hex() for o in octets), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline().split()
        return None if line == ["refused"] else tuple(bytes.fromhex(text) for text in line)

    def keygen(self, seed):
        return self.ask("keygen", seed)

    def encaps(self, ek, m):
        return self.ask("encaps", ek, m)

    def decaps(self, dk, ct):
        return self.ask("decaps", dk, ct)[0]

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


class Python:
    def keygen(self, seed):
        return pony_mlkem.key_gen(seed)

    def encaps(self, ek, m):
        try:
            shared, ct = pony_mlkem.encaps(ek, m)
        except pony_mlkem.KeyFault:
            return None
        return ct, shared

    def decaps(self, dk, ct):
        return pony_mlkem.decaps(dk, ct)


def exchange(a, b):
    """a has the key, b encapsulates; what each did the other does too. The first difference, or None."""
    seed, m = secrets.token_bytes(64), secrets.token_bytes(32)
    ek, dk = a.keygen(seed)
    if b.keygen(seed) != (ek, dk):
        return "keys"
    ct, shared = b.encaps(ek, m)
    if a.encaps(ek, m) != (ct, shared):
        return "ciphertexts"
    if a.decaps(dk, ct) != shared:
        return "secrets"
    changed = bytearray(ct)
    changed[secrets.randbelow(len(ct))] ^= 1 << secrets.randbelow(8)
    rejected = a.decaps(dk, bytes(changed))
    if rejected == shared or b.decaps(dk, bytes(changed)) != rejected:
        return "secrets of a changed ciphertext"
    return None


def not_reduced(ek):
    """The key with one coefficient of q or more."""
    at, value = secrets.randbelow(768), 3329 + secrets.randbelow(767)
    t = int.from_bytes(ek[:1152], "little")
    t += value - (t >> 12 * at & 0xfff) << 12 * at
    return t.to_bytes(1152, "little") + ek[1152:]


def compare(ours, theirs, name, count):
    differences = [exchange(*((ours, theirs) if i % 2 else (theirs, ours))) for i in range(count)]
    found = sorted({d for d in differences if d})
    ok(not found, "%s: %d random exchanges, both ways" % (name, count), ", ".join(found))


def refusals(ours, theirs, name):
    m, bad = secrets.token_bytes(32), 0
    for _ in range(50):
        ek = not_reduced(ours.keygen(secrets.token_bytes(64))[0])
        bad += ours.encaps(ek, m) is not None or theirs.encaps(ek, m) is not None
    ok(bad == 0, name + ": both refuse keys that are not reduced")


def node_modules():
    """Where the packages are, fetched, and held to their digests before anything of them is run."""
    folder = os.path.join(CACHE, "node")
    os.makedirs(folder, exist_ok=True)
    for name, version, digest in PACKAGES:
        archive = os.path.join(folder, "%s-%s.tgz" % (name[1:].replace("/", "-"), version))
        if not os.path.exists(archive):
            subprocess.run(["npm", "pack", "--silent", "%s@%s" % (name, version)], cwd=folder, check=True,
                           stdout=subprocess.DEVNULL)
        with open(archive, "rb") as f:
            if hashlib.sha256(f.read()).hexdigest() != digest:
                os.unlink(archive)
                raise OSError("%s is not what it was" % archive)
        there = os.path.join(folder, "node_modules", name)
        os.makedirs(there, exist_ok=True)
        subprocess.run(["tar", "-xzf", archive, "-C", there, "--strip-components=1"], check=True)
    return os.path.join(folder, "node_modules")


def main():
    ours = Lines(os.path.join(BUILD, "t/tools/kem"))
    compare(ours, Python(), "Python", 1000 if ALL else 100)
    refusals(ours, Python(), "Python")
    if ALL:
        noble = Lines("node", os.path.join(TOP, "t/tools/noble-kem.js"), NODE_PATH=node_modules())
        compare(ours, noble, "noble", 1000)
        ok(noble.end() == 0, "noble: ended in order")
    ok(ours.end() == 0, "ours ended in order")
    print("1..%d" % run)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
