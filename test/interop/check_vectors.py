"""Checks test/vectors/*.json from their descriptions. Ed25519, X25519 and AES are a library's; the rest is done here.
python check_vectors.py DIRECTORY prints a line for each file; it fails at the first value that is another."""
import base64, hashlib, hmac, itertools, json, math, pathlib, struct, sys
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes

N, Q, P, un = 2048, 2**54 - 77823, 67108859, bytes.fromhex
def b64(data): return base64.b64encode(data).decode()
def sha(*parts): return hashlib.sha256(b''.join(p.encode() if isinstance(p, str) else p for p in parts)).digest()
def name(*parts): return sha(*parts).hex()
def compact(value): return json.dumps(value, separators=(',', ':'), ensure_ascii=False)
def pick(case, names): return [case[each] for each in names.split()]
def pack(width, numbers): return sum(x << width * i for i, x in enumerate(numbers)).to_bytes(-(-width * len(numbers) // 8), 'little')
def secret(seed): return ed25519.Ed25519PrivateKey.from_private_bytes(un(seed))
def public(seed): return secret(seed).public_key().public_bytes_raw()
def envelope(kind, body, *seeds):
    pae = b'DSSEv1 %d %s %d %s' % (len(kind), kind.encode(), len(body), body)
    signed = [{'keyid': name(public(seed)), 'sig': b64(secret(seed).sign(pae))} for seed in seeds]
    return {'payloadType': kind, 'payload': b64(body), 'signatures': signed}, name(pae)

def stream(key, form, block=0):
    cipher = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, 'big'))).encryptor()
    return struct.unpack(form, cipher.update(bytes(struct.calcsize(form))))
def below(modulus, width, draws, more):
    spare = (x % 2**width for x in more if x % 2**width < modulus)
    return [x % 2**width if x % 2**width < modulus else next(spare) for x in draws]
def uniform(domain, digest, j):
    key = sha(domain, digest)
    return below(Q, 54, stream(key, '<2048Q', 1024 * j), stream(key, '<64Q', 2**127 + 1024 * j))
def fourier(a, root):
    if len(a) == 1: return a
    even, odd, power = fourier(a[::2], root * root % Q), fourier(a[1::2], root * root % Q), 1
    for i, x in enumerate(odd): odd[i], power = x * power % Q, power * root % Q
    return [(x + y) % Q for x, y in zip(even, odd)] + [(x - y) % Q for x, y in zip(even, odd)]
def masks(plan, key, root, count):
    values = fourier([x * pow(root, k, Q) % Q for k, x in enumerate(key)], root**2 % Q)
    for j in range(-(-count // N)):
        a = uniform('sluice/public-polynomials/v1', plan, j)
        mixed = fourier([x * a[int(f'{m:011b}'[::-1], 2)] for m, x in enumerate(values)], pow(root, -2, Q))
        yield from (x * pow(N * pow(root, k, Q), -1, Q) % Q for k, x in enumerate(mixed))
def value_at(x, points):
    return sum(y * math.prod((x - j) * pow(i - j, -1, P) for j in points if j != i) for i, y in points.items()) % P

def cut(d): return 1 << (len(d) - 1).bit_length() - 1 if len(d) > 1 else 0
def tree(d): return (sha(b'\1', tree(d[:cut(d)]), tree(d[cut(d):])) if cut(d) else sha(b'\0', d[0])) if d else sha()
def path(m, d):
    k = cut(d)
    return [] if not k else path(m, d[:k]) + [tree(d[k:])] if m < k else path(m - k, d[k:]) + [tree(d[:k])]
def proof(m, d, known=True):
    k = cut(d)
    if m == len(d): return [] if known else [tree(d)]
    return proof(m, d[:k], known) + [tree(d[k:])] if m <= k else proof(m - k, d[k:], False) + [tree(d[:k])]
def vkey(key_name, kind, key):
    return f'{key_name}+{sha(key_name, chr(10), bytes([kind]), key)[:4].hex()}+{b64(bytes([kind]) + key)}'
def line(key, signature): return f'— {key[:-54]} {b64(un(key[-53:-45]) + signature)}\n'

def majority(n): return 2 * n // 3 + 1
def committee(job, round, cohort):
    seed, seats = sha('sluice/v1/committee-seed\0', un(job), struct.pack('>I', round)), {}
    for m in sorted(cohort, key=lambda m: sha('sluice/v1/committee\0', seed, m['holder'])):
        seats.setdefault(m['organisation'], m['holder'])
    k, t = min(len(seats), 7), majority(min(len(seats), 7))
    return [seed.hex(), list(seats.values())[:7], t, max(0, min(2 * t - k - 1, t - 1, k - 2))]
def question(c):
    return name(compact(['sluice/v1/question', c['job'], c['step'], sorted([i['name'], i['digest']] for i in c['inputs'])]))
def geometry(precision, n, values):
    delta = next(b for b in range(54) if 4**b * 100 >= (2 * 14 * 67)**2 * n)
    width = precision + (n - 1).bit_length()
    lanes = (54 - delta) // width
    return delta, width, lanes, -(-values // lanes), -(-54 * -(-values // lanes) // 8)
def opening(key_sum, chunks):
    return name('sluice/v1/opening\0', sha(struct.pack('<2048h', *key_sum)), *chunks)

def check_envelope(file):
    for c in file['cases']:
        made, digest = envelope(c['payloadType'], c['payload'].encode(), c['seed'])
        yield pick(c, 'json statementDigest publicKey'), [compact(made), digest, public(c['seed']).hex()]
        yield made['signatures'], [{'keyid': c['keyid'], 'sig': b64(un(c['signature']))}]

def check_plan_digest(file):
    for c in file['cases']:
        plan, (made, digest) = json.loads(c['body']), envelope(file['payloadType'], c['body'].encode(), file['coordinatorSeed'])
        values, n = sum(s['length'] for s in plan['vector']['segments']), len(plan['cohort'])
        _, _, lanes, _, size = geometry(plan['vector']['precisionBits'], n, values)
        yield pick(c, 'planDigest question values lanes ciphertextBytes'), [digest, question(plan), values, lanes, size]
        yield b64(un(c['signature'])), made['signatures'][0]['sig']
        yield pick(plan['committee'], 'members threshold'), committee(plan['job'], plan['round'], plan['cohort'])[1:3]

def check_sealed_box(file):
    def extract(suite, salt, label, ikm=b''): return hmac.digest(salt, b'HPKE-v1' + suite + label + ikm, 'sha256')
    def expand(suite, prk, label, info, size):
        return hmac.digest(prk, bytes([0, size]) + b'HPKE-v1' + suite + label + info + b'\1', 'sha256')[:size]
    kem, suite = b'KEM\0\x20', b'HPKE\0\x20\0\1\0\2'
    for c in file['cases']:
        seeds = [extract(kem, b'', b'dkp_prk', un(seed)) for seed in pick(c, 'recipientSeed ephemeralSeed')]
        keys = [x25519.X25519PrivateKey.from_private_bytes(expand(kem, seed, b'sk', b'', 32)) for seed in seeds]
        recipient, sender = [key.public_key().public_bytes_raw() for key in keys]
        prk = extract(kem, b'', b'eae_prk', keys[1].exchange(keys[0].public_key()))
        prk = extract(suite, expand(kem, prk, b'shared_secret', sender + recipient, 32), b'secret')
        context = b'\0' + extract(suite, b'', b'psk_id_hash') + extract(suite, b'', b'info_hash', file['info'].encode())
        key, nonce = [expand(suite, prk, *what) for what in ((b'key', context, 32), (b'base_nonce', context, 12))]
        bound = compact(['sluice/v1/key-share', *pick(c, 'plan contributor member payload')])
        box = sender + aead.AESGCM(key).encrypt(nonce, un(c['plaintext']), bound.encode())
        yield pick(c, 'associatedData recipientPublicKey box'), [bound, recipient.hex(), box.hex()]

def check_public_polynomials(file):
    for c in file['polynomials']:
        a = uniform(file['domain'], un(file['planDigest']), c['index'])
        yield [*map(int, c['firstCoefficients'] + [c['lastCoefficient']])], a[:8] + a[-1:]
        yield pick(c, 'sha256'), [name(struct.pack('<2048Q', *a))]
    yield pick(file, 'key modulus'), [name(file['domain'], un(file['planDigest'])), str(Q)]

def check_payload(file):
    root = int(file['root'])
    yield [str(min(pow(root, k, Q) for k in range(1, 2 * N, 2))), pow(root, N, Q)], [file['root'], Q - 1]
    for c in file['cases']:
        delta, width, lanes, count, size = made = geometry(*pick(c, 'precisionBits maxContributors length'))
        yield pick(c, 'deltaBits laneBits lanes coefficientCount ciphertextBytes'), [*made]
        total, keys, plan = [0] * count, [0] * N, un(c['planDigest'])
        for who in c['contributors']:
            key = [(who['keyMultiplier'] * k * k + k) % 61 - 30 for k in range(N)]
            values = [who['valueMultiplier'] * (k + 1)**2 % 2**c['precisionBits'] for k in range(c['length'])]
            messages = [sum(v << delta + l * width for l, v in enumerate(values[i:i + lanes])) for i in range(0, len(values), lanes)]
            errors = struct.unpack(f'{count}b', un(who['errors']))
            chunk = [sum(x) % Q for x in zip(masks(plan, key, root, count), errors, messages)]
            made = pack(54, chunk)
            yield pick(who, 'firstBytes payloadDigest'), [made[:54].hex(), name('sluice/v1/payload\0', sha(made))]
            total, keys = [(x + y) % Q for x, y in zip(total, chunk)], [x + y for x, y in zip(keys, key)]
        made, clear = pack(54, total), [x - y for x, y in zip(total, masks(plan, keys, root, count))]
        sums = [((x + 2**(delta - 1)) % Q >> delta + l * width) % 2**width for x in clear for l in range(lanes)][:c['length']]
        yield pick(c['sum'], 'firstBytes sha256'), [made[:54].hex(), name(made)]
        yield pick(c['keySum'], 'firstCoefficients sha256'), [keys[:8], name(struct.pack('<2048h', *keys))]
        yield pick(c, 'firstOpened aggregate opening'), [sums[:8], name(struct.pack(f'<{len(sums)}d', *sums)), opening(keys, [sha(made)])]

def check_key_shares(file):
    for c in file['cases']:
        t, drawn = c['threshold'] - 1, iter(stream(un(c['seed']), f'<{(c["threshold"] - 1) * len(c["secret"])}I'))
        rows = [[next(drawn) % 2**26 for _ in range(t)] for _ in c['secret']]
        shares = [[sum(a * m**e for e, a in enumerate([s, *row])) % P for s, row in zip(c['secret'], rows)] for m in range(1, c['members'] + 1)]
        yield pick(c, 'coefficients shares packed'), [rows, shares, [pack(26, share).hex() for share in shares]]
        recovered = [value_at(0, dict(list(enumerate(values, 1))[-t - 1:])) for values in zip(*shares)]
        yield [s % P for s in c['secret']], recovered

def check_share_check(file):
    for c in file['challenges']:
        draws = stream(sha('sluice/share-challenge/v1', un(c['digest'])), '<6208I')
        flat = below(P, 26, draws[:6144], draws[6144:])
        rows = [flat[i:i + N] for i in range(0, 3 * N, N)]
        yield pick(c, 'first last sha256'), [[row[:3] for row in rows], [row[-1] for row in rows], name(struct.pack('<6144I', *flat))]
        for field, share in ('combination', lambda k: 32749 * k * k + 977 * k + 1), ('combinationOfLargest', lambda k: -1):
            yield c[field], [(share(N + r) + sum(x * share(k) for k, x in enumerate(row))) % P for r, row in enumerate(rows)]
        yield c['redrawn'], sum(x % 2**26 >= P for x in draws[:6144])
    for c in file['agreements']:
        points, t = {p['point']: p['values'] for p in c['points']}, c['threshold']
        fits = lambda some, x: [value_at(x, {i: points[i][r] for i in some}) for r in range(3)] == points[x]
        agreeing = [[x for x in points if fits(some, x)] for some in itertools.combinations(points, t)] or [[*points]]
        best = max(agreeing, key=len)
        rivals = [a for a in agreeing if len(a) == len(best) and a != best]
        yield pick(c, 'off unique'), [[x for x in points if x not in best], not rivals]

def check_linear_hash(file):
    def weights(j): return uniform('sluice/linear-hash/v1', un(file['challenge']), j)
    omega, sigma, rho = [weights(0), weights(1)], weights(2), [weights(3), weights(4)]
    def linear(c, first=0):
        where = [(r, first + n // 32768, n // N % 16, n % N, x) for r in (0, 1) for n, x in enumerate(c)]
        terms = [(r, rho[g // 1024][g % 1024 * 2 + r] % 2**53 * sigma[2 * i + r] * omega[r][k] * x) for r, g, i, k, x in where]
        return ''.join(f'{sum(x for r, x in terms if r == each) % Q:016x}' for each in (0, 1))
    for c in file['small']:
        numbers = [*map(int, c['coefficients'])]
        yield pick(c, 'packed hash'), [pack(54, numbers).hex(), linear(numbers)]
    yield [(int(x) + int(y) - int(z)) % Q for x, y, z in zip(*(c['coefficients'] for c in file['small']))], [0] * 5
    count, *abc = [int(x) for x in pick(file['long'], 'coefficientCount square linear constant')]
    numbers = [(abc[0] * n * n + abc[1] * n + abc[2]) % Q for n in range(count)]
    yield pick(file['long'], 'packedSha256 hash'), [name(pack(54, numbers)), linear(numbers)]
    yield [file['far']['hash'], file['modulus']], [linear([*map(int, file['far']['coefficients'])], file['far']['chunk']), str(Q)]
