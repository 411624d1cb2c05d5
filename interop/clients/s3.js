// What the JavaScript SDK says of an S3: every operation that the emulator has, with
// the checks that the SDK makes by itself. It ends with a line "ok".
'use strict'

const assert = require('node:assert/strict')
const {
  S3Client, PutObjectCommand, GetObjectCommand, HeadObjectCommand, CopyObjectCommand, DeleteObjectCommand, DeleteObjectsCommand,
  ListObjectsV2Command, ListObjectVersionsCommand, ListBucketsCommand, CreateBucketCommand, GetBucketLocationCommand, GetBucketVersioningCommand,
  CreateMultipartUploadCommand, UploadPartCommand, CompleteMultipartUploadCommand, AbortMultipartUploadCommand, ListPartsCommand,
  ListMultipartUploadsCommand, paginateListObjectsV2
} = require('@aws-sdk/client-s3')

const Bucket = 'example-microsecrets'
const client = new S3Client({
  region: process.env.AWS_REGION,
  endpoint: process.env.AWS_ENDPOINT_URL_S3,
  forcePathStyle: true,
  maxAttempts: 1
})
const send = (Command, input) => client.send(new Command({ Bucket, ...input }))

async function fails (promise, status, name) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.$metadata.httpStatusCode, status)
    if (name) assert.equal(e.name, name)
    return true
  })
}

async function main () {
  assert.deepEqual((await client.send(new ListBucketsCommand({}))).Buckets.map((b) => b.Name), [Bucket])
  await client.send(new CreateBucketCommand({ Bucket: 'example-another' }))
  assert.equal((await send(GetBucketVersioningCommand, {})).Status, 'Enabled')
  await send(GetBucketLocationCommand, {})

  // put and get, with the SDK's own checksums and without
  for (const ChecksumAlgorithm of [undefined, 'CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256']) {
    const Key = `checksums/${ChecksumAlgorithm}`
    const put = await send(PutObjectCommand, { Key, Body: 'text', ChecksumAlgorithm })
    assert.ok(put.ETag && put.VersionId)
    const got = await send(GetObjectCommand, { Key, ChecksumMode: 'ENABLED' })
    assert.equal(await got.Body.transformToString(), 'text')
    assert.equal(got.VersionId, put.VersionId)
  }
  const odd = 'odd/ä +&%"<>~€\'()*!'
  const first = await send(PutObjectCommand, { Key: odd, Body: 'one', ContentType: 'text/x', Metadata: { a: 'b' } })
  const head = await send(HeadObjectCommand, { Key: odd })
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata, head.ETag], [3, 'text/x', { a: 'b' }, first.ETag])
  const range = await send(GetObjectCommand, { Key: odd, Range: 'bytes=1-' })
  assert.equal(await range.Body.transformToString(), 'ne')
  assert.equal(range.ContentRange, 'bytes 1-2/3')
  await fails(send(GetObjectCommand, { Key: 'nothing' }), 404, 'NoSuchKey')
  await fails(send(HeadObjectCommand, { Key: 'nothing' }), 404, 'NotFound')
  await fails(send(GetObjectCommand, { Key: odd, Range: 'bytes=7-' }), 416, 'InvalidRange')
  await fails(client.send(new GetObjectCommand({ Bucket: 'example-nowhere', Key: 'x' })), 404, 'NoSuchBucket')

  // conditions
  await fails(send(PutObjectCommand, { Key: odd, Body: 'x', IfNoneMatch: '*' }), 412, 'PreconditionFailed')
  await fails(send(PutObjectCommand, { Key: odd, Body: 'x', IfMatch: '"0"' }), 412, 'PreconditionFailed')
  await fails(send(PutObjectCommand, { Key: 'nothing', Body: 'x', IfMatch: '"0"' }), 404)
  await fails(send(GetObjectCommand, { Key: odd, IfNoneMatch: first.ETag }), 304)
  const second = await send(PutObjectCommand, { Key: odd, Body: 'two', IfMatch: first.ETag })

  // versions and deletions
  const marker = await send(DeleteObjectCommand, { Key: odd })
  assert.equal(marker.DeleteMarker, true)
  await fails(send(GetObjectCommand, { Key: odd }), 404, 'NoSuchKey')
  await fails(send(GetObjectCommand, { Key: odd, VersionId: marker.VersionId }), 405, 'MethodNotAllowed')
  const old = await send(GetObjectCommand, { Key: odd, VersionId: first.VersionId })
  assert.equal(await old.Body.transformToString(), 'one')
  const versions = await send(ListObjectVersionsCommand, { Prefix: odd, EncodingType: 'url' })
  assert.deepEqual(versions.Versions.map((v) => v.VersionId), [second.VersionId, first.VersionId])
  assert.deepEqual(versions.DeleteMarkers.map((v) => [v.VersionId, v.IsLatest]), [[marker.VersionId, true]])
  await send(DeleteObjectCommand, { Key: odd, VersionId: marker.VersionId })
  assert.equal(await (await send(GetObjectCommand, { Key: odd })).Body.transformToString(), 'two')
  await send(CopyObjectCommand, { Key: 'copy', CopySource: `${Bucket}/${encodeURIComponent(odd)}?versionId=${first.VersionId}` })
  assert.equal(await (await send(GetObjectCommand, { Key: 'copy' })).Body.transformToString(), 'one')

  // listings of more than a page
  for (let i = 0; i < 25; i++) await send(PutObjectCommand, { Key: `many/${i}`, Body: 'x' })
  const keys = []
  for await (const page of paginateListObjectsV2({ client, pageSize: 10 }, { Bucket, Prefix: 'many/' })) keys.push(...page.Contents.map((o) => o.Key))
  assert.equal(keys.length, 25)
  assert.deepEqual(keys, [...keys].sort())
  const level = await send(ListObjectsV2Command, { Delimiter: '/' })
  assert.deepEqual(level.CommonPrefixes.map((p) => p.Prefix), ['checksums/', 'many/', 'odd/'])
  assert.deepEqual(level.Contents.map((o) => o.Key), ['copy'])
  const gone = await send(DeleteObjectsCommand, { Delete: { Objects: keys.map((Key) => ({ Key })) } })
  assert.equal(gone.Deleted.length, 25)
  assert.equal((await send(ListObjectsV2Command, { Prefix: 'many/' })).KeyCount, 0)

  // an upload in parts
  const part = Buffer.alloc(5 << 20, 'x')
  const { UploadId } = await send(CreateMultipartUploadCommand, { Key: 'large' })
  const Parts = []
  for (const [i, Body] of [part, Buffer.from('end')].entries()) {
    const { ETag, ChecksumCRC32 } = await send(UploadPartCommand, { Key: 'large', UploadId, PartNumber: i + 1, Body })
    Parts.push({ ETag, PartNumber: i + 1, ChecksumCRC32 })
  }
  assert.equal((await send(ListPartsCommand, { Key: 'large', UploadId })).Parts.length, 2)
  assert.equal((await send(ListMultipartUploadsCommand, {})).Uploads.length, 1)
  await fails(send(CompleteMultipartUploadCommand, { Key: 'large', UploadId, MultipartUpload: { Parts: [...Parts].reverse() } }), 400, 'InvalidPartOrder')
  const whole = await send(CompleteMultipartUploadCommand, { Key: 'large', UploadId, MultipartUpload: { Parts } })
  assert.match(whole.ETag, /-2"$/)
  const large = await send(GetObjectCommand, { Key: 'large', ChecksumMode: 'ENABLED' })
  assert.equal((await large.Body.transformToByteArray()).length, part.length + 3)
  const other = await send(CreateMultipartUploadCommand, { Key: 'large' })
  await send(AbortMultipartUploadCommand, { Key: 'large', UploadId: other.UploadId })
  await fails(send(ListPartsCommand, { Key: 'large', UploadId: other.UploadId }), 404, 'NoSuchUpload')

  console.log('ok')
}

main().catch((e) => {
  console.error(e)
  process.exit(1)
})
