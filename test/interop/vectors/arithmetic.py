"""Curves, sealing, the ring, polynomials over F_p and Merkle trees, from their definitions. Only AES is a library's.
Slow, and for public test values only: nothing here runs in constant time."""
import hashlib, hmac, itertools, math, struct
from functools import cache
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

N, Q, P, F = 2048, 2**54 - 77823, 67108859, 2**255 - 19

def sha(*parts): return hashlib.sha256(b''.join(p.encode() if isinstance(p, str) else p for p in parts)).digest()

# Ed25519 (RFC 8032), affine. X25519 (RFC 7748) is multiplication on the same curve, with y = (u - 1) / (u + 1).
ORDER, D = 2**252 + 27742317777372353535851937790883648493, -121665 * pow(121666, -1, F)
def point_at(y):
    square = (y * y - 1) * pow(D * y * y + 1, -1, F) % F
    root = pow(square, (F + 3) // 8, F)
    x = next(x for x in (root, root * pow(2, (F - 1) // 4, F) % F) if x * x % F == square)
    return x if x % 2 == 0 else F - x, y % F
def add(p, q):
    x, y, cross = p[0] * q[1] + p[1] * q[0], p[1] * q[1] + p[0] * q[0], D * p[0] * q[0] * p[1] * q[1]
    return x * pow(1 + cross, -1, F) % F, y * pow(1 - cross, -1, F) % F
def multiple(k, p):
    total = (0, 1)
    while k: total, p, k = add(total, p) if k & 1 else total, add(p, p), k >> 1
    return total
BASE = point_at(4 * pow(5, -1, F))
def encode(p): return (p[1] | (p[0] & 1) << 255).to_bytes(32, 'little')
def clamp(secret): return int.from_bytes(secret, 'little') & 2**254 - 8 | 2**254
def scalar(*parts): return int.from_bytes(hashlib.sha512(b''.join(parts)).digest(), 'little') % ORDER
@cache
def public_key(seed): return encode(multiple(clamp(hashlib.sha512(seed).digest()[:32]), BASE))
@cache
def sign(seed, message):
    secret = hashlib.sha512(seed).digest()
    r = scalar(secret[32:], message)
    commitment = encode(multiple(r, BASE))
    s = r + scalar(commitment, public_key(seed), message) * clamp(secret[:32])
    return commitment + (s % ORDER).to_bytes(32, 'little')
def x25519(secret, u):
    u = int.from_bytes(u, 'little')
    y = multiple(clamp(secret), point_at((u - 1) * pow(u + 1, -1, F)))[1]
    return ((1 + y) * pow(1 - y, -1, F) % F).to_bytes(32, 'little')

# HPKE base mode (RFC 9180) with X25519, HKDF-SHA256, AES-256-GCM.
KEM, SUITE = b'KEM\0\x20', b'HPKE\0\x20\0\1\0\2'
def extract(suite, salt, label, ikm=b''): return hmac.digest(salt, b'HPKE-v1' + suite + label + ikm, 'sha256')
def expand(suite, key, label, info, size):
    return hmac.digest(key, bytes([0, size]) + b'HPKE-v1' + suite + label + info + b'\1', 'sha256')[:size]
def key_pair(seed):
    secret = expand(KEM, extract(KEM, b'', b'dkp_prk', seed), b'sk', b'', 32)
    return secret, x25519(secret, b'\x09' + bytes(31))
def seal(sender, recipient, info, bound, plaintext):
    dh = extract(KEM, b'', b'eae_prk', x25519(sender[0], recipient))
    secret = extract(SUITE, expand(KEM, dh, b'shared_secret', sender[1] + recipient, 32), b'secret')
    context = b'\0' + extract(SUITE, b'', b'psk_id_hash') + extract(SUITE, b'', b'info_hash', info)
    key, nonce = expand(SUITE, secret, b'key', context, 32), expand(SUITE, secret, b'base_nonce', context, 12)
    return sender[1] + aead.AESGCM(key).encrypt(nonce, plaintext, bound)

# Uniform numbers, and the ring.
def stream(key, form, block=0):
    cipher = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, 'big'))).encryptor()
    return struct.unpack(form, cipher.update(bytes(struct.calcsize(form))))
def below(modulus, width, draws, more):
    spare = (x % 2**width for x in more if x % 2**width < modulus)
    return [x % 2**width if x % 2**width < modulus else next(spare) for x in draws]
def uniform(domain, seed, j):
    key = sha(domain, seed)
    return below(Q, 54, stream(key, '<2048Q', 1024 * j), stream(key, '<64Q', 2**127 + 1024 * j))
def fourier(a, root):
    if len(a) == 1: return a
    even, odd = fourier(a[::2], root * root % Q), fourier(a[1::2], root * root % Q)
    odd = [x * y % Q for x, y in zip(odd, powers(root, len(odd)))]
    return [(x + y) % Q for x, y in zip(even, odd)] + [(x - y) % Q for x, y in zip(even, odd)]
@cache
def powers(root, count): return list(itertools.accumulate([root] * (count - 1), lambda x, y: x * y % Q, initial=1))

# Polynomials over F_p.
def polynomial_at(x, coefficients): return sum(a * x**e for e, a in enumerate(coefficients)) % P
def value_at(x, points):
    return sum(y * math.prod((x - j) * pow(i - j, -1, P) for j in points if j != i) for i, y in points.items()) % P
def off_points(points, threshold):
    """Points of which no polynomial of degree below threshold holds more, and whether no other holds as many."""
    if len(points) <= threshold: return [[], True]
    def holds(some, x): return all(value_at(x, {i: points[i][r] for i in some}) == y for r, y in enumerate(points[x]))
    held = [[x for x in points if holds(some, x)] for some in itertools.combinations(sorted(points), threshold)]
    most = max(held, key=len)
    return [[x for x in points if x not in most], all(each == most for each in held if len(each) == len(most))]

# Merkle trees as in RFC 6962, section 2.1.
def cut(d): return 1 << (len(d) - 1).bit_length() - 1 if len(d) > 1 else 0
def tree(d): return (sha(b'\1', tree(d[:cut(d)]), tree(d[cut(d):])) if cut(d) else sha(b'\0', d[0])) if d else sha()
def inclusion(m, d):
    k = cut(d)
    if not k: return []
    return inclusion(m, d[:k]) + [tree(d[k:])] if m < k else inclusion(m - k, d[k:]) + [tree(d[:k])]
def consistency(m, d, known=True):
    k = cut(d)
    if m == len(d): return [] if known else [tree(d)]
    return consistency(m, d[:k], known) + [tree(d[k:])] if m <= k else consistency(m - k, d[k:], False) + [tree(d[:k])]
