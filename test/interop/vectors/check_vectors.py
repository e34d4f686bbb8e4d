"""Checks test/vectors against formats.py: python check_vectors.py DIRECTORY. One line for each file; the status is not
0 at the first value that is another, at a file that is not known here, and at one that is missing."""
import json, pathlib, struct, sys
from formats import *

def pick(case, names): return [case[name] for name in names.split()]
def ints(texts): return [int(text) for text in texts]
def hexes(parts): return [part.hex() for part in parts]

# Each check yields pairs: what the file says, and what it should say.
def check_envelope(file):
    for c in file['cases']:
        made, name = envelope(c['payloadType'], c['payload'].encode(), un(c['seed']))
        yield pick(c, 'json statementDigest publicKey'), [compact(made), name, public_key(un(c['seed'])).hex()]
        yield {'keyid': c['keyid'], 'sig': b64(un(c['signature']))}, made['signatures'][0]
def check_plan_digest(file):
    for c in file['cases']:
        plan = json.loads(c['body'])
        made, name = envelope(file['payloadType'], c['body'].encode(), un(file['coordinatorSeed']))
        asked, values = question(*pick(plan, 'job inputs')), sum(s['length'] for s in plan['vector']['segments'])
        _, _, lanes, _, size = geometry(plan['vector']['precisionBits'], len(plan['cohort']), values)
        yield pick(c, 'planDigest question values lanes ciphertextBytes'), [name, asked, values, lanes, size]
        yield b64(un(c['signature'])), made['signatures'][0]['sig']
        yield pick(plan['committee'], 'members threshold'), committee(*pick(plan, 'job round cohort'))[1:3]
def check_sealed_box(file):
    for c in file['cases']:
        recipient, sender = key_pair(un(c['recipientSeed']))[1], key_pair(un(c['ephemeralSeed']))
        bound = compact(['sluice/v1/key-share', *pick(c, 'plan contributor member payload')])
        box = seal(sender, recipient, file['info'].encode(), bound.encode(), un(c['plaintext']))
        yield pick(c, 'associatedData recipientPublicKey box'), [bound, recipient.hex(), box.hex()]
def check_public_polynomials(file):
    yield pick(file, 'key modulus'), [digest(file['domain'], un(file['planDigest'])), str(Q)]
    for c in file['polynomials']:
        a = uniform(file['domain'], un(file['planDigest']), c['index'])
        yield ints(c['firstCoefficients']), a[:8]
        yield pick(c, 'lastCoefficient sha256'), [str(a[-1]), digest(struct.pack('<2048Q', *a))]
def check_payload(file):
    root = int(file['root'])
    yield [root, -1 % Q, file['modulus']], [min(pow(root, k, Q) for k in range(1, 2 * N, 2)), pow(root, N, Q), str(Q)]
    for c in file['cases']:
        shape = geometry(*pick(c, 'precisionBits maxContributors length'))
        yield pick(c, 'deltaBits laneBits lanes coefficientCount ciphertextBytes'), shape
        total, keys, plan = [0] * shape[3], [0] * N, un(c['planDigest'])
        for who in c['contributors']:
            key = [(who['keyMultiplier'] * k * k + k) % 61 - 30 for k in range(N)]
            values = [who['valueMultiplier'] * (k + 1)**2 % 2**c['precisionBits'] for k in range(c['length'])]
            chunk = protect(plan, root, key, struct.unpack(f'{shape[3]}b', un(who['errors'])), values, shape)
            sent, keys, total = pack(54, chunk), [*map(sum, zip(keys, key))], [sum(x) % Q for x in zip(total, chunk)]
            yield pick(who, 'firstBytes payloadDigest'), [sent[:54].hex(), digest('sluice/v1/payload\0', sha(sent))]
        sent, sums = pack(54, total), open_sum(plan, root, keys, total, shape, c['length'])
        yield pick(c['sum'], 'firstBytes sha256'), [sent[:54].hex(), digest(sent)]
        yield pick(c['keySum'], 'firstCoefficients sha256'), [keys[:8], digest(struct.pack('<2048h', *keys))]
        yield pick(c, 'firstOpened aggregate opening'), [sums[:8], aggregate(sums), opening(keys, digest('sluice/v1/payload\0', sha(sent)))]
def check_key_shares(file):
    yield file['modulus'], P
    for c in file['cases']:
        t, members, secret = pick(c, 'threshold members secret')
        draws = below(P, 26, stream(un(c['seed']), f'<{len(secret) * (t - 1)}I'), [])
        rows = [draws[i * (t - 1):(i + 1) * (t - 1)] for i in range(len(secret))]
        shares = [[polynomial_at(m, [s, *row]) for s, row in zip(secret, rows)] for m in range(1, members + 1)]
        yield pick(c, 'coefficients shares packed'), [rows, shares, [pack(26, share).hex() for share in shares]]
        quorum = [dict([*enumerate(values, 1)][-t:]) for values in zip(*shares)]
        yield [s % P for s in secret], [value_at(0, points) for points in quorum]
def check_share_check(file):
    for c in file['challenges']:
        rows, redrawn = share_challenge(un(c['digest']))
        yield pick(c, 'first last redrawn'), [[row[:3] for row in rows], [row[-1] for row in rows], redrawn]
        yield [file['modulus'], c['sha256']], [P, digest(*(struct.pack('<2048I', *row) for row in rows))]
        shares = [lambda k: 32749 * k * k + 977 * k + 1, lambda k: P - 1]
        yield pick(c, 'combination combinationOfLargest'), [combine(share, rows) for share in shares]
    for c in file['agreements']:
        yield pick(c, 'off unique'), off_points({p['point']: p['values'] for p in c['points']}, c['threshold'])
def check_linear_hash(file):
    challenge, long, far = un(file['challenge']), file['long'], file['far']
    small = [ints(c['coefficients']) for c in file['small']]
    for c, numbers in zip(file['small'], small):
        yield pick(c, 'packed hash'), [pack(54, numbers).hex(), linear_hash(challenge, numbers)]
    yield small[2], [(x + y) % Q for x, y in zip(*small[:2])]
    count, square, linear, constant = ints(pick(long, 'coefficientCount square linear constant'))
    numbers = [(square * n * n + linear * n + constant) % Q for n in range(count)]
    yield pick(long, 'packedSha256 hash'), [digest(pack(54, numbers)), linear_hash(challenge, numbers)]
    yield [far['hash'], file['modulus']], [linear_hash(challenge, ints(far['coefficients']), far['chunk']), str(Q)]
def check_round(file):
    for c in file['committees']:
        yield pick(c, 'seed members threshold tolerates'), committee(*pick(c, 'job round cohort'))
    for c in file['questions']: yield c['digest'], question(*pick(c, 'job inputs'))
    for c in file['hashChallenges']: yield c['challenge'], digest('sluice/v1/payload-hash\0', *map(un, pick(c, 'manifest sum')))
    for c in file['payloads']: yield c['digest'], digest('sluice/v1/payload\0', *map(un, c['chunks']))
    for c in file['openings']:
        yield c['digest'], opening([(3 * k * k + 1) % 187 - 93 for k in range(N)], c['sum'])
    for c in file['witnesses']: yield c['vkey'], verifier_key(f'{c["origin"]}/{c["holder"]}', 4, un(c['statementKey']))
def check_registry(file):
    seeds = {digest(public_key(un(s['seed']))): un(s['seed']) for s in file['signers']}
    head, members = digest('sluice/v1/empty-registry\0'), {}
    yield file['emptyHead'], head
    for sequence, c in enumerate(file['statements'], 1):
        statement, body, request, asked = unwrap_registry(c['statement'])
        place = [file['venue'], file['venue'], sequence, head if sequence > 1 else None]
        yield [asked['venue'], *map(body.get, ('venue', 'sequence', 'previous'))], place
        for each in request, statement:
            made, head = sign_again(each, seeds)
            yield [each, len(each['signatures']) > c['quorum']], [made, True]
        quorum, members = enter(asked, members)
        yield pick(c, 'head members quorum'), [head, sorted(members), quorum]
def check_log(file):
    entries, log, witness, asked = [un(entry) for entry in file['entries']], *pick(file, 'log witness addCheckpoint')
    yield file['roots'], hexes(tree(entries[:n]) for n in range(9))
    for c in file['inclusion']: yield c['proof'], hexes(inclusion(c['index'], entries[:c['size']]))
    for c in file['consistency']: yield c['proof'], hexes(consistency(c['oldSize'], entries[:c['newSize']]))
    keys = (log['origin'], 1, un(log['seed'])), (witness['name'], 4, un(witness['seed']))
    note, cosigned = checkpoint(entries, *keys, witness['cosignedAtS'])
    yield [log['vkey'], witness['vkey']], [verifier_key(name, kind, public_key(seed)) for name, kind, seed in keys]
    yield pick(file, 'checkpoint cosignedCheckpoint'), [note, note + cosigned]
    yield pick(asked, 'newSize request response'), [8, add_checkpoint(asked['oldSize'], entries, note), cosigned]
    for c in file['tilePaths']: yield c['path'], tile_path(*pick(c, 'level index width'))
    yield un(file['bundle']['bytes']), bundle(un(entry) for entry in file['bundle']['entries'])
    for size, body in ('whole', b'{"round":1}'), ('detached', bytes(i % 256 for i in range(80_000))):
        yield file['logEntries'][size], log_entry('application/vnd.example+json', body, keys[0][2])
    large, entries = file['large'], [f'entry {i}'.encode() for i in range(file['large']['size'])]
    yield large['root'], tree(entries).hex()
    yield {each['path']: each['sha256'] for each in large['tiles']}, {at: digest(data) for at, data in tiles(entries)}
    for c in large['ranges']: yield c['before'], hexes(complete_subtrees(entries[:c['start']]))

checks = {name[6:].replace('_', '-'): check for name, check in globals().items() if name.startswith('check_')}
files = {at.stem: json.loads(at.read_text('utf-8')) for at in sorted(pathlib.Path(sys.argv[1]).glob('*.json'))}
if files.keys() != checks.keys(): sys.exit(f'other files than expected: {sorted(files.keys() ^ checks.keys())}')
for name, file in files.items():
    for said, due in (pairs := [*checks[name](file)]):
        if said != due: sys.exit(f'{name}.json: {str(said)[:200]} should be {str(due)[:200]}')
    print(f'{name}.json: {len(pairs)} cases')
