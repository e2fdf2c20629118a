"""pony_mlkem - ML-KEM-768 (FIPS 203) in Python alone, for t/lib/pony_peer.py. A function bears the
name of the standard's algorithm. Nothing here is constant-time: for tests only.
"""
import hashlib

Q, N, K, ETA, DU, DV = 3329, 256, 3, 2, 10, 4
EK, DK, CT, SEED = 1184, 2400, 1088, 32
VECTOR = 384 * K


def bit_reversed(i):
    return int("{:07b}".format(i)[::-1], 2)


ZETAS = [pow(17, bit_reversed(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * bit_reversed(i) + 1, Q) for i in range(128)]


class KeyFault(ValueError):
    """An encapsulation key of another length or not reduced."""


def hash_g(octets):
    digest = hashlib.sha3_512(octets).digest()
    return digest[:32], digest[32:]


def hash_h(octets):
    return hashlib.sha3_256(octets).digest()


def hash_j(octets):
    return hashlib.shake_256(octets).digest(32)


def prf(seed, nonce):
    return hashlib.shake_256(seed + bytes([nonce])).digest(64 * ETA)


def byte_encode(f, d):
    return sum(c << d * i for i, c in enumerate(f)).to_bytes(32 * d, "little")


def byte_decode(octets, d):
    number = int.from_bytes(octets, "little")
    return [number >> d * i & (1 << d) - 1 for i in range(N)]


def compress(f, d):
    """Rounded to the nearest: halves do not occur, as q is odd."""
    return [(2 * (c << d) + Q) // (2 * Q) % (1 << d) for c in f]


def decompress(f, d):
    return [(2 * c * Q + (1 << d)) >> d + 1 for c in f]


def sample_ntt(seed):
    n = 3 * N
    while True:
        stream, f = hashlib.shake_128(seed).digest(n), []
        for i in range(0, n - 2, 3):
            pair = int.from_bytes(stream[i:i + 3], "little")
            f += [c for c in (pair & 0xfff, pair >> 12) if c < Q]
        if len(f) >= N:
            return f[:N]
        n *= 2


def sample_poly_cbd(octets):
    bits = int.from_bytes(octets, "little")
    f = []
    for _ in range(N):
        f.append(((bits & 1) + (bits >> 1 & 1) - (bits >> 2 & 1) - (bits >> 3 & 1)) % Q)
        bits >>= 4
    return f


def ntt(f):
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            for j in range(start, start + length):
                t = ZETAS[i] * f[j + length]
                f[j], f[j + length] = (f[j] + t) % Q, (f[j] - t) % Q
            i += 1
        length //= 2
    return f


def ntt_inverse(f):
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            for j in range(start, start + length):
                t, u = f[j], f[j + length]
                f[j], f[j + length] = (t + u) % Q, ZETAS[i] * (u - t) % Q
            i -= 1
        length *= 2
    return [c * 3303 % Q for c in f]


def add(f, g):
    return [(a + b) % Q for a, b in zip(f, g)]


def subtract(f, g):
    return [(a - b) % Q for a, b in zip(f, g)]


def dot(v, w):
    """The inner product of two vectors in the NTT domain, by MultiplyNTTs."""
    h = [0] * N
    for f, g in zip(v, w):
        for i, gamma in enumerate(GAMMAS):
            a, b, c, d = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
            h[2 * i] += a * c + b * d * gamma
            h[2 * i + 1] += a * d + b * c
    return [c % Q for c in h]


def matrix(rho):
    """A hat, by rows."""
    return [[sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def small(seed, first, count):
    return [sample_poly_cbd(prf(seed, nonce)) for nonce in range(first, first + count)]


def encode_vector(v, d):
    return b"".join(byte_encode(f, d) for f in v)


def decode_vector(octets, d):
    return [byte_decode(octets[32 * d * i:32 * d * (i + 1)], d) for i in range(K)]


def pke_key_gen(d):
    rho, sigma = hash_g(d + bytes([K]))
    s, e = [[ntt(f) for f in small(sigma, first, K)] for first in (0, K)]
    t = [add(dot(row, s), e[i]) for i, row in enumerate(matrix(rho))]
    return encode_vector(t, 12) + rho, encode_vector(s, 12)


def pke_encrypt(ek, m, r):
    t, a = decode_vector(ek[:VECTOR], 12), matrix(ek[VECTOR:])
    y = [ntt(f) for f in small(r, 0, K)]
    e1, e2 = small(r, K, K), small(r, 2 * K, 1)[0]
    u = [add(ntt_inverse(dot(column, y)), e1[i]) for i, column in enumerate(zip(*a))]
    v = add(add(ntt_inverse(dot(t, y)), e2), decompress(byte_decode(m, 1), 1))
    return encode_vector([compress(f, DU) for f in u], DU) + byte_encode(compress(v, DV), DV)


def pke_decrypt(dk, ct):
    u = [decompress(f, DU) for f in decode_vector(ct[:32 * DU * K], DU)]
    v = decompress(byte_decode(ct[32 * DU * K:], DV), DV)
    w = subtract(v, ntt_inverse(dot(decode_vector(dk, 12), [ntt(f) for f in u])))
    return byte_encode(compress(w, 1), 1)


def key_gen(seed):
    """(ek, dk) of d || z."""
    d, z = seed[:32], seed[32:]
    ek, dk = pke_key_gen(d)
    return ek, dk + ek + hash_h(ek) + z


def encaps(ek, m):
    """(shared secret, ciphertext)."""
    if len(ek) != EK or any(c >= Q for f in decode_vector(ek[:VECTOR], 12) for c in f):
        raise KeyFault
    shared, r = hash_g(m + hash_h(ek))
    return shared, pke_encrypt(ek, m, r)


def decaps(dk, ct):
    """The shared secret; one that nobody has when the ciphertext is not as it should be."""
    ek, h, z = dk[VECTOR:VECTOR + EK], dk[-64:-32], dk[-32:]
    m = pke_decrypt(dk[:VECTOR], ct)
    shared, r = hash_g(m + h)
    return shared if pke_encrypt(ek, m, r) == ct else hash_j(z + ct)
