"""pony_crypto - X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439) and Noise_XX_25519_ChaChaPoly_BLAKE2b
(revision 34), also with psk3, in Python alone, for t/lib/pony_peer.py; little-endian machines. Nothing
here is constant-time: for tests only.
"""
import hashlib
import hmac
import struct
from array import array

P25519 = 2**255 - 19
P1305 = 2**130 - 5


class CryptoError(Exception):
    """A tag that does not fit, or an all-zero Diffie-Hellman result."""


def x25519(scalar, point):
    """RFC 7748 section 5: the Montgomery ladder; 32 octets each."""
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P25519, b * b % P25519, d * a % P25519, c * b % P25519
        e = aa - bb
        x3, z3 = (da + cb)**2 % P25519, x1 * (da - cb)**2 % P25519
        x2, z2 = aa * bb % P25519, e * (aa + 121665 * e) % P25519
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P25519 - 2, P25519) % P25519).to_bytes(32, "little")


def public_key(secret):
    return x25519(secret, (9).to_bytes(32, "little"))


# All points with which X25519 gives zero, whatever the scalar: those of order 1, 2, 4 and 8 of the curve and
# its twist, with what stands for the same number (n + p), each also with the bit that nobody looks at.
LOW_ORDER = [(n + high).to_bytes(32, "little") for high in (0, 2**255) for n in (
    0, 1, P25519 - 1, P25519, P25519 + 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823)]


QUARTERS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def chacha20(key, nonce, counter, n):
    """n octets of key stream (RFC 8439 section 2.4). All blocks are computed side by side: a word of the
    state is one long number with a lane of 64 bits for each block, of which the low 32 are used."""
    blocks = (n + 63) // 64
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * blocks, "little")
    mask = ones * 0xffffffff
    words = struct.unpack("<16I", b"expand 32-byte k" + key + b"\0\0\0\0" + nonce)
    start = [word * ones for word in words]
    start[12] = int.from_bytes(array("Q", range(counter, counter + blocks)).tobytes(), "little")
    x = list(start)

    def mix(into, plus, turned, by):
        x[into] = (x[into] + x[plus]) & mask
        t = x[turned] ^ x[into]
        x[turned] = (t << by | t >> 32 - by) & mask

    for _ in range(10):
        for a, b, c, d in QUARTERS:
            mix(a, b, d, 16)
            mix(c, d, b, 12)
            mix(a, b, d, 8)
            mix(c, d, b, 7)
    stream = array("I", bytes(64 * blocks))
    for i in range(16):
        lanes = ((x[i] + start[i]) & mask).to_bytes(8 * blocks, "little")
        stream[i::16] = array("I", lanes)[::2]
    return stream.tobytes()[:n]


def poly1305(key, message):
    """RFC 8439 section 2.5."""
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    sum_ = 0
    for i in range(0, len(message), 16):
        sum_ = (sum_ + int.from_bytes(message[i:i + 16] + b"\1", "little")) * r % P1305
    return ((sum_ + int.from_bytes(key[16:], "little")) & (2**128 - 1)).to_bytes(16, "little")


def _xor(a, b):
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def _tag(stream, ad, sealed):
    padded = ad + bytes(-len(ad) % 16) + sealed + bytes(-len(sealed) % 16)
    return poly1305(stream[:32], padded + struct.pack("<QQ", len(ad), len(sealed)))


def aead_seal(key, nonce, ad, plain):
    """RFC 8439 section 2.8; nonce of 12 octets."""
    stream = chacha20(key, nonce, 0, 64 + len(plain))
    sealed = _xor(plain, stream[64:])
    return sealed + _tag(stream, ad, sealed)


def aead_open(key, nonce, ad, message):
    if len(message) < 16:
        raise CryptoError("shorter than a tag")
    sealed = message[:-16]
    stream = chacha20(key, nonce, 0, 64 + len(sealed))
    if not hmac.compare_digest(_tag(stream, ad, sealed), message[-16:]):
        raise CryptoError("tag")
    return _xor(sealed, stream[64:])


class Cipher:
    """Noise's CipherState: a key and a counter of messages."""

    def __init__(self, key):
        self.key, self.n = key, 0

    def nonce(self):
        nonce = bytes(4) + struct.pack("<Q", self.n)
        self.n += 1
        return nonce

    def seal(self, plain, ad=b""):
        return aead_seal(self.key, self.nonce(), ad, plain)

    def open(self, message, ad=b""):
        return aead_open(self.key, self.nonce(), ad, message)

    def rekey(self):
        self.key = aead_seal(self.key, bytes(4) + b"\xff" * 8, b"", bytes(32))[:32]


def blake2b(data):
    return hashlib.blake2b(data).digest()


def hkdf(ck, ikm, count=2):
    """Outputs of 64 octets."""
    temp, out = hmac.digest(ck, ikm, "blake2b"), [b""]
    for i in range(count):
        out.append(hmac.digest(temp, out[-1] + bytes([i + 1]), "blake2b"))
    return out[1:]


class Noise:
    """The SymmetricState of the handshake, with the tokens of XX and XXpsk3 as methods."""

    def __init__(self, prologue, psk=False):
        name = b"Noise_XX%s_25519_ChaChaPoly_BLAKE2b" % (b"psk3" if psk else b"")
        self.psk = psk
        self.h = self.ck = name + bytes(64 - len(name))
        self.cipher = None
        self.mix_hash(prologue)

    def mix_hash(self, data):
        self.h = blake2b(self.h + data)

    def mix_key(self, ikm):
        self.ck, key = hkdf(self.ck, ikm)
        self.cipher = Cipher(key[:32])

    def mix_e(self, public):
        self.mix_hash(public)
        if self.psk:
            self.mix_key(public)

    def mix_dh(self, secret, public):
        shared = x25519(secret, public)
        if shared == bytes(32):
            raise CryptoError("all-zero Diffie-Hellman result")
        self.mix_key(shared)

    def mix_psk(self, psk):
        """MixKeyAndHash."""
        self.ck, hashed, key = hkdf(self.ck, psk, 3)
        self.mix_hash(hashed)
        self.cipher = Cipher(key[:32])

    def encrypt(self, plain):
        """EncryptAndHash."""
        message = self.cipher.seal(plain, self.h) if self.cipher else plain
        self.mix_hash(message)
        return message

    def decrypt(self, message):
        """DecryptAndHash."""
        plain = self.cipher.open(message, self.h) if self.cipher else message
        self.mix_hash(message)
        return plain

    def split(self):
        """Keys of the two directions: first the initiator's, which is the SMTP server."""
        first, second = hkdf(self.ck, b"")
        return Cipher(first[:32]), Cipher(second[:32])

