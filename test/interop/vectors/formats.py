"""The formats of Sluice a second time, from their descriptions in test/vectors."""
import base64, json, struct
from functools import cache
from arithmetic import *

un = bytes.fromhex
def b64(data): return base64.b64encode(data).decode()
def unwrap(envelope): return json.loads(base64.b64decode(envelope['payload']))
def compact(value): return json.dumps(value, separators=(',', ':'), ensure_ascii=False)
def digest(*parts): return sha(*parts).hex()
def pack(width, numbers):
    return sum(x << width * i for i, x in enumerate(numbers)).to_bytes(-(-width * len(numbers) // 8), 'little')

# DSSE envelopes, and what names things.
def envelope(kind, body, *seeds):
    pae = b'DSSEv1 %d %s %d %s' % (len(kind), kind.encode(), len(body), body)
    signatures = [{'keyid': digest(public_key(seed)), 'sig': b64(sign(seed, pae))} for seed in seeds]
    return {'payloadType': kind, 'payload': b64(body), 'signatures': signatures}, digest(pae)
def majority(n): return 2 * n // 3 + 1
def committee(job, round, cohort):
    seed, seats = sha('sluice/v1/committee-seed\0', un(job), struct.pack('>I', round)), {}
    for member in sorted(cohort, key=lambda m: sha('sluice/v1/committee\0', seed, m['holder'])):
        seats.setdefault(member['organisation'], member['holder'])
    members = list(seats.values())[:7]
    k, t = len(members), majority(len(members))
    return [seed.hex(), members, t, max(0, min(2 * t - k - 1, t - 1, k - 2))]
def question(job, inputs):
    return digest(compact(['sluice/v1/question', job, sorted([each['name'], each['digest']] for each in inputs)]))
def opening(key_sum, total): return digest('sluice/v1/opening\0', sha(struct.pack('<2048h', *key_sum)), un(total))
def sign_again(signed, seeds):
    signers = [seeds[signature['keyid']] for signature in signed['signatures']]
    return envelope(signed['payloadType'], base64.b64decode(signed['payload']), *signers)
def unwrap_registry(text):
    statement = json.loads(text)
    body = unwrap(statement)
    request = body.get('application') or body['departure']
    return statement, body, request, unwrap(request)
def enter(asked, members):
    """How many organisations must sign what is asked, and who is a member afterwards: organisations by holder."""
    holder = asked.get('member', asked)['holder']
    admitted = {holder: asked['member']['organisation']} if 'member' in asked else {}
    others = {organisation for organisation in members.values() if organisation != members.get(holder)}
    rest = {name: organisation for name, organisation in members.items() if name != holder}
    return majority(len(others)) if others else 0, rest | admitted

# Payloads.
def masks(plan, key, root, count):
    """a_j * key for the public polynomials of the plan: the first `count` coefficients."""
    values = fourier([x * y % Q for x, y in zip(key, powers(root, N))], root * root % Q)
    for j in range(-(-count // N)):
        a = uniform('sluice/public-polynomials/v1', plan, j)
        mixed = fourier([x * a[int(f'{m:011b}'[::-1], 2)] for m, x in enumerate(values)], pow(root, -2, Q))
        yield from (x * y * pow(N, -1, Q) % Q for x, y in zip(mixed, powers(pow(root, -1, Q), N)))
def protect(plan, root, key, errors, values, shape):
    delta, width, lanes, count, _ = shape
    message = [0] * count
    for k, value in enumerate(values): message[k // lanes] += value << delta + k % lanes * width
    return [sum(parts) % Q for parts in zip(masks(plan, key, root, count), errors, message)]
def open_sum(plan, root, keys, total, shape, length):
    delta, width, lanes, count, _ = shape
    clear = [(x - y + 2**(delta - 1)) % Q for x, y in zip(total, masks(plan, keys, root, count))]
    return [clear[k // lanes] >> delta + k % lanes * width & 2**width - 1 for k in range(length)]
def geometry(precision, n, values):
    delta = next(b for b in range(54) if 4**b * 100 >= (2 * 14 * 67)**2 * n)
    width = precision + (n - 1).bit_length()
    lanes = (54 - delta) // width
    return [delta, width, lanes, -(-values // lanes), -(-54 * -(-values // lanes) // 8)]
def linear_hash(challenge, numbers, first_chunk=0):
    polynomial = cache(lambda j: uniform('sluice/linear-hash/v1', challenge, j))
    def weight(r, g, i, k):
        return polynomial(3 + g // 1024)[g % 1024 * 2 + r] % 2**53 * polynomial(2)[2 * i + r] * polynomial(r)[k]
    places = [(first_chunk + n // 32768, n // N % 16, n % N) for n in range(len(numbers))]
    return ''.join(f'{sum(weight(r, *at) * x for at, x in zip(places, numbers)) % Q:016x}' for r in (0, 1))
def aggregate(sums): return digest(struct.pack(f'<{len(sums)}d', *sums))
def share_challenge(seed):
    """The weights of the three repetitions, and how many draws had to be replaced."""
    draws = stream(sha('sluice/share-challenge/v1', seed), '<6208I')
    flat = below(P, 26, draws[:6144], draws[6144:])
    return [flat[r * N:(r + 1) * N] for r in range(3)], sum(x % 2**26 >= P for x in draws[:6144])
def combine(share, challenge):
    return [(share(N + r) + sum(x * share(k) for k, x in enumerate(row))) % P for r, row in enumerate(challenge)]

# The log: entries, C2SP notes and tiles.
def log_entry(kind, body, seed):
    made = envelope(kind, body, seed)[0]
    whole, signatures = compact(made), made['signatures']
    detached = {'payloadType': kind, 'payloadSha256': digest(body), 'signatures': signatures}
    return whole if len(whole.encode()) < 2**16 else compact(detached)
def note_key(name, kind, key): return sha(name, '\n', bytes([kind]), key)[:4]
def verifier_key(name, kind, key): return f'{name}+{note_key(name, kind, key).hex()}+{b64(bytes([kind]) + key)}'
def note_line(name, kind, seed, text, time=None):
    """A signature of a note, or of a witness when there is a time."""
    stamp, above = (b'', '') if time is None else (struct.pack('>Q', time), f'cosignature/v1\ntime {time}\n')
    return f'— {name} {b64(note_key(name, kind, public_key(seed)) + stamp + sign(seed, (above + text).encode()))}\n'
def checkpoint(entries, log, witness, time):
    """A checkpoint as its log signs it, and the line that a witness adds."""
    text = f'{log[0]}\n{len(entries)}\n{b64(tree(entries))}\n'
    return f'{text}\n{note_line(*log, text)}', note_line(*witness, text, time)
def add_checkpoint(old_size, entries, note):
    return ''.join([f'old {old_size}\n', *(b64(step) + '\n' for step in consistency(old_size, entries)), '\n', note])
def tile_path(level, index, width):
    name = f'{index % 1000:03d}'
    while index := index // 1000: name = f'x{index % 1000:03d}/{name}'
    return f'tile/{level}/{name}' + (f'.p/{width}' if width < 256 else '')
def bundle(entries): return b''.join(struct.pack('>H', len(entry)) + entry for entry in entries)
def tiles(entries):
    """Path and bytes of each bundle and hash tile of a tree of fewer than 2^16 entries."""
    for i in range(0, len(entries), 256):
        part, index = entries[i:i + 256], i // 256
        yield tile_path('entries', index, len(part)), bundle(part)
        yield tile_path(0, index, len(part)), b''.join(tree([entry]) for entry in part)
    full = [tree(entries[i:i + 256]) for i in range(0, len(entries) - 255, 256)]
    if full: yield tile_path(1, 0, len(full)), b''.join(full)
def complete_subtrees(entries):
    return [tree(entries[:cut(entries + [0])])] + complete_subtrees(entries[cut(entries + [0]):]) if entries else []
