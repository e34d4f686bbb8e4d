"""Checks test/vectors/*.json with arithmetic of its own, from the descriptions in the files; only AES is a library's.

python check_vectors.py DIRECTORY: one line for each file; status 1 at the first value that differs.
"""
import base64, hashlib, hmac, itertools, json, math, pathlib, struct, sys
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

N, Q, P, F25519 = 2048, 2**54 - 77823, 67108859, 2**255 - 19
ED_ORDER, ED_D = 2**252 + 27742317777372353535851937790883648493, -121665 * pow(121666, -1, F25519)
ED_BASE = (15112221349535400772501151409588531511454012693041857206046113283949847762202, 4 * pow(5, -1, F25519) % F25519)
cases = 0

def same(got, expected):
    global cases
    cases += 1
    assert got == expected, f'got {str(got)[:120]}, the file has {str(expected)[:120]}'
def sha(*parts): return hashlib.sha256(b''.join(p.encode() if isinstance(p, str) else p for p in parts)).digest()
def sha_hex(*parts): return sha(*parts).hex()
def compact(value): return json.dumps(value, separators=(',', ':'), ensure_ascii=False)
def b64(data): return base64.b64encode(data).decode()
def unhex(texts): return [bytes.fromhex(text) for text in texts]
def bits_of(residues, width): return sum(r << width * i for i, r in enumerate(residues)).to_bytes((width * len(residues) + 7) // 8, 'little')

# Ed25519 (RFC 8032) in affine coordinates, and X25519 (RFC 7748).
def ed_add(p, q):
    cross = ED_D * p[0] * q[0] * p[1] * q[1]
    return ((p[0] * q[1] + p[1] * q[0]) * pow(1 + cross, -1, F25519) % F25519, (p[1] * q[1] + p[0] * q[0]) * pow(1 - cross, -1, F25519) % F25519)
def ed_multiple(k):
    result, each = (0, 1), ED_BASE
    while k: result, each, k = (ed_add(result, each) if k & 1 else result), ed_add(each, each), k >> 1
    return (result[1] | (result[0] & 1) << 255).to_bytes(32, 'little')
def clamp(secret): return int.from_bytes(secret, 'little') & (2**254 - 8) | 2**254
def ed_public(seed): return ed_multiple(clamp(hashlib.sha512(seed).digest()[:32]))
def ed_sign(seed, message):
    digest, number = hashlib.sha512(seed).digest(), lambda *parts: int.from_bytes(hashlib.sha512(b''.join(parts)).digest(), 'little') % ED_ORDER
    nonce = number(digest[32:], message)
    point = ed_multiple(nonce)
    return point + ((nonce + number(point, ed_public(seed), message) * clamp(digest[:32])) % ED_ORDER).to_bytes(32, 'little')
def x25519(secret, public):
    k, x1, x2, z2, x3, z3 = clamp(secret), int.from_bytes(public, 'little') & (2**255 - 1), 1, 0, int.from_bytes(public, 'little') & (2**255 - 1), 1
    for bit in range(254, -1, -1):
        if k >> bit & 1: x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, da, cb = (x2 + z2)**2, (x2 - z2)**2, (x3 - z3) * (x2 + z2), (x3 + z3) * (x2 - z2)
        x2, z2, x3, z3 = a * b % F25519, (a - b) * (a + 121665 * (a - b)) % F25519, (da + cb)**2 % F25519, x1 * (da - cb)**2 % F25519
        if k >> bit & 1: x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, -1, F25519) % F25519).to_bytes(32, 'little')

# HPKE, base mode (RFC 9180): labelled HKDF, the key pair of a seed, the box of an ephemeral key.
KEM, SUITE, BASEPOINT = b'KEM\x00\x20', b'HPKE\x00\x20\x00\x01\x00\x02', b'\x09' + bytes(31)
def extract(suite, salt, label, ikm): return hmac.digest(salt, b'HPKE-v1' + suite + label + ikm, 'sha256')
def expand(suite, key, label, info, length): return hmac.digest(key, struct.pack('>H', length) + b'HPKE-v1' + suite + label + info + b'\x01', 'sha256')[:length]
def key_pair(seed):
    secret = expand(KEM, extract(KEM, b'', b'dkp_prk', seed), b'sk', b'', 32)
    return secret, x25519(secret, BASEPOINT)
def seal(ephemeral, recipient, info, bound, plaintext):
    shared = expand(KEM, extract(KEM, b'', b'eae_prk', x25519(ephemeral[0], recipient)), b'shared_secret', ephemeral[1] + recipient, 32)
    context, secret = b'\x00' + extract(SUITE, b'', b'psk_id_hash', b'') + extract(SUITE, b'', b'info_hash', info), extract(SUITE, shared, b'secret', b'')
    key, nonce = expand(SUITE, secret, b'key', context, 32), expand(SUITE, secret, b'base_nonce', context, 12)
    return ephemeral[1] + aead.AESGCM(key).encrypt(nonce, plaintext, bound)

# The ring: expansion of uniform polynomials, and the transform in the order in which they are given.
def keystream(key, block, length): return Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, 'big'))).encryptor().update(bytes(length))
def uniform(key, j):
    draws = [word % 2**54 for word in struct.unpack('<2048Q', keystream(key, 1024 * j, 8 * N))]
    more = (word % 2**54 for word in struct.unpack('<64Q', keystream(key, 2**127 + 1024 * j, 512)))
    return [draw if draw < Q else next(word for word in more if word < Q) for draw in draws]
def fourier(values, root):
    if len(values) == 1: return values
    even, odd, half, power = fourier(values[::2], root * root % Q), fourier(values[1::2], root * root % Q), [], 1
    for value in odd: half, power = half + [value * power % Q], power * root % Q
    return [(e + h) % Q for e, h in zip(even, half)] + [(e - h) % Q for e, h in zip(even, half)]
REVERSED = [int(f'{i:011b}'[::-1], 2) for i in range(N)]
def product(ntt, small, root):
    transformed = fourier([c * pow(root, k, Q) % Q for k, c in enumerate(small)], root * root % Q)
    values = fourier([transformed[m] * ntt[REVERSED[m]] % Q for m in range(N)], pow(root, -2, Q))
    return [value * pow(N * pow(root, k, Q), -1, Q) % Q for k, value in enumerate(values)]

# Merkle trees, word for word as RFC 6962, section 2.1, has them.
def split(n): return 1 << (n - 1).bit_length() - 1
def mth(d): return sha() if not d else sha(b'\0', d[0]) if len(d) == 1 else sha(b'\1', mth(d[:split(len(d))]), mth(d[split(len(d)):]))
def path(m, d):
    k = split(len(d)) if len(d) > 1 else 0
    return [] if not k else path(m, d[:k]) + [mth(d[k:])] if m < k else path(m - k, d[k:]) + [mth(d[:k])]
def consistency(m, d, known=True):
    k = split(len(d)) if len(d) > 1 else 0
    if m == len(d): return [] if known else [mth(d)]
    return consistency(m, d[:k], known) + [mth(d[k:])] if m <= k else consistency(m - k, d[k:], False) + [mth(d[:k])]
