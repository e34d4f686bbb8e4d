import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseBlobsUrl } from '../../src/store/blobs-url.ts'
import { openBlobStore } from '../../src/store/open-blob-store.ts'

describe('the URL of the blobs', () => {
  it.each([
    ['file:///var/lib/sluice', { kind: 'directory', path: '/var/lib/sluice' }],
    ['file:///a%20b', { kind: 'directory', path: '/a b' }],
    ['s3://bucket', { kind: 's3', bucket: 'bucket', prefix: '', pathStyle: false }],
    ['s3://bucket/', { kind: 's3', bucket: 'bucket', prefix: '', pathStyle: false }],
    ['s3://bucket/a/b.c/', { kind: 's3', bucket: 'bucket', prefix: 'a/b.c/', pathStyle: false }],
    [
      's3://hearts.example/venue?region=eu-central-1&endpoint=https://minio.hearts.example:9000&pathStyle=true',
      {
        kind: 's3',
        bucket: 'hearts.example',
        prefix: 'venue/',
        region: 'eu-central-1',
        endpoint: 'https://minio.hearts.example:9000',
        pathStyle: true,
      },
    ],
  ])('%s', (url, location) => {
    expect(parseBlobsUrl(url)).toEqual(location)
  })

  it.each([
    'no url',
    'bucket',
    'https://bucket.s3.example/prefix',
    'file://server/share',
    'file:///a?b=c',
    's3://',
    's3://UPPER_CASE',
    's3://bucket/a b',
    's3://bucket?endpoint=minio',
    's3://bucket?endpoint=ftp://minio',
    's3://bucket?pathstyle=true',
    's3://bucket?pathStyle=yes',
    's3://bucket?region=',
    's3://bucket#prefix',
  ])('is refused: %s', (url) => {
    expect(() => parseBlobsUrl(url)).toThrow(expect.objectContaining({ code: 'bad-blobs-url' }))
  })

  it.each([
    's3://AKIA123:verysecret@bucket',
    's3://verysecret@bucket',
    's3://bucket?secretAccessKey=verysecret',
    's3://bucket?endpoint=http://user:verysecret@minio',
  ])('has no place for credentials, and the refusal does not repeat them: %s', (url) => {
    expect(() => parseBlobsUrl(url)).toThrow(expect.objectContaining({ code: 'bad-blobs-url' }))
    expect(() => parseBlobsUrl(url)).not.toThrow(/verysecret/)
  })

  it('leads to a directory, the state directory without one', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-blobs-'))
    try {
      const [state, shared] = [join(directory, 'state'), join(directory, 'shared')]
      await (await openBlobStore(undefined, state)).put('artifacts/a', new Uint8Array(1))
      await (await openBlobStore(pathToFileURL(shared).href, state)).put('artifacts/b', new Uint8Array(1))
      expect(readdirSync(join(state, 'artifacts'))).toEqual(['a'])
      expect(readdirSync(join(shared, 'artifacts'))).toEqual(['b'])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
