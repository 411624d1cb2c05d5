package tool

// Usage is the part of every usage text that the programs share: the flags of
// each, and the settings.
const Usage = `
  -v               tell the settings and each request on standard error
  -version         print the version
  -h               print this

settings, each as a flag, as a variable (-bucket-owner, MS_BUCKET_OWNER) or as a
line in the file .msrc:

  -store STORE     where secrets are: s3://BUCKET or s3://BUCKET/PREFIX
  -key KEYS        the KMS key, or several with commas; {service} in it is the
                   first segment of NAME (default alias/microsecrets-{service})
  -origin STORE    the store that the objects of a replica were written for
  -region REGION   the AWS region
  -profile NAME    the AWS profile
  -bucket-owner ID the account that must own the bucket
  -by TEXT         who writes, for the record (default user@host)
  -sse SSE         the server-side encryption header: aws:kms or AES256
  -unsigned        write and accept messages without a signature
  -path-style      the bucket in the path (automatic outside amazonaws.com)
  -timeout TIME    the longest wait without progress (default 30s)
  -config FILE     read the settings from FILE
`
