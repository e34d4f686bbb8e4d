import fc from 'fast-check'
import { varint } from './protobuf-mutator.ts'

/** Any fields of any wire type, nested, with lengths that fit: what flipping bytes seldom keeps whole. */
export function protobufMessages(): fc.Arbitrary<Uint8Array> {
  const { message } = fc.letrec<{ message: Uint8Array; field: Uint8Array }>((tie) => ({
    message: fc.array(tie('field'), { maxLength: 6 }).map((fields) => new Uint8Array(Buffer.concat(fields))),
    field: fc
      .tuple(
        fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 12 }) }, { weight: 1, arbitrary: fc.nat(2 ** 28) }),
        fc.oneof(
          { depthSize: 'small' as const },
          fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ type: 0, body: varint(value) })),
          fc.double().map((value) => ({ type: 1, body: new Uint8Array(new Float64Array([value]).buffer) })),
          fc
            .oneof(
              fc.uint8Array({ maxLength: 40 }),
              fc.string().map((text) => new Uint8Array(Buffer.from(text))),
            )
            .map(withLength),
          tie('message').map(withLength),
          fc.uint8Array({ minLength: 4, maxLength: 4 }).map((body) => ({ type: 5, body })),
          fc.constant({ type: 3, body: new Uint8Array(0) }),
        ),
      )
      .map(
        ([number, { type, body }]) => new Uint8Array(Buffer.concat([varint(BigInt(number) * 8n + BigInt(type)), body])),
      ),
  }))
  return message
}

function withLength(body: Uint8Array) {
  return { type: 2, body: new Uint8Array(Buffer.concat([varint(BigInt(body.length)), body])) }
}
