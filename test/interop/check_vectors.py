"""Checks test/vectors/*.json from their descriptions. Ed25519, X25519 and AES are a library's; the rest is done here.
python check_vectors.py DIRECTORY prints a line for each file; status 1 at the first value that is another."""
import base64, hashlib, hmac, itertools, json, math, pathlib, struct, sys
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

N, Q, P, un = 2048, 2**54 - 77823, 67108859, bytes.fromhex
def b64(data): return base64.b64encode(data).decode()
def sha(*parts): return hashlib.sha256(b''.join(p.encode() if isinstance(p, str) else p for p in parts)).digest()
def name(*parts): return sha(*parts).hex()
def compact(value): return json.dumps(value, separators=(',', ':'), ensure_ascii=False)
def pick(case, names): return [case[each] for each in names.split()]
def bits(width, numbers): return sum(x << width * i for i, x in enumerate(numbers)).to_bytes(-(-width * len(numbers) // 8), 'little')
def secret(seed): return ed25519.Ed25519PrivateKey.from_private_bytes(un(seed))
def public(seed): return secret(seed).public_key().public_bytes_raw()
def envelope(kind, body, *seeds):
    pae = b'DSSEv1 %d %s %d %s' % (len(kind), kind.encode(), len(body), body)
    signed = [{'keyid': name(public(seed)), 'sig': b64(secret(seed).sign(pae))} for seed in seeds]
    return {'payloadType': kind, 'payload': b64(body), 'signatures': signed}, name(pae)
# Streams, polynomials with residues mod q, and polynomials over F_p.
def stream(key, form, block=0):
    cipher = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, 'big'))).encryptor()
    return struct.unpack(form, cipher.update(bytes(struct.calcsize(form))))
def residues(draws, more, modulus, size):
    spare = (x % size for x in more if x % size < modulus)
    return [x % size if x % size < modulus else next(spare) for x in draws]
def uniform(domain, digest, j):
    key = sha(domain, digest)
    return residues(stream(key, '<2048Q', 1024 * j), stream(key, '<64Q', 2**127 + 1024 * j), Q, 2**54)
def fourier(a, root):
    if len(a) == 1: return a
    even, odd, power = fourier(a[::2], root * root % Q), fourier(a[1::2], root * root % Q), 1
    for i, x in enumerate(odd): odd[i], power = x * power % Q, power * root % Q
    return [(x + y) % Q for x, y in zip(even, odd)] + [(x - y) % Q for x, y in zip(even, odd)]
def masks(plan, key, root, count):
    values = fourier([x * pow(root, k, Q) % Q for k, x in enumerate(key)], root**2 % Q)
    for j in range(-(-count // N)):
        a = uniform('sluice/public-polynomials/v1', plan, j)
        mixed = [x * a[int(f'{m:011b}'[::-1], 2)] % Q for m, x in enumerate(values)]
        yield from (x * pow(N * pow(root, k, Q), -1, Q) % Q for k, x in enumerate(fourier(mixed, pow(root, -2, Q))))
def value_at(x, points):
    return sum(y * math.prod((x - j) * pow(i - j, -1, P) for j in points if j != i) for i, y in points.items()) % P
# Merkle trees as in RFC 6962, section 2.1.
def cut(d): return 1 << (len(d) - 1).bit_length() - 1 if len(d) > 1 else 0
def tree(d): return (sha(b'\1', tree(d[:cut(d)]), tree(d[cut(d):])) if cut(d) else sha(b'\0', d[0])) if d else sha()
def proof(m, d, known):
    k = cut(d)
    if m == len(d) if known is not None else not k: return [] if known is not False else [tree(d)]
    if m < k or m == k and known is not None: return proof(m, d[:k], known) + [tree(d[k:])]
    return proof(m - k, d[k:], known and False) + [tree(d[:k])]
# What follows from a plan.
def majority(n): return 2 * n // 3 + 1
def committee(job, round, cohort):
    seed = sha('sluice/v1/committee-seed\0', un(job), struct.pack('>I', round))
    ranked = {m['organisation']: m['holder'] for m in sorted(cohort, key=lambda m: sha('sluice/v1/committee\0', seed, m['holder']))[::-1]}
