// Encrypts and decrypts with the official JavaScript SDK. Standard input is a JSON array of jobs, standard output one of what
// came of them, in order:
//   {encrypt: DATA, suite, frameLength, context, kms | raw}  →  {data}
//   {decrypt: DATA, kms | raw}                               →  {data, context} or {error}
// kms is a key's ARN, raw an array of {name, namespace, key}; DATA, data and key are in base64.
const sdk = require("@aws-crypto/client-node");
const client = sdk.buildClient(sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);

const bytes = (s) => new Uint8Array(Buffer.from(s, "base64")); // a copy: a wrapping key must have its buffer to itself

function keyring({ kms, raw }) {
  if (kms) return new sdk.KmsKeyringNode({ generatorKeyId: kms });
  const [generator, ...children] = raw.map(
    ({ name, namespace, key }) =>
      new sdk.RawAesKeyringNode({
        keyName: name,
        keyNamespace: namespace,
        unencryptedMasterKey: bytes(key),
        wrappingSuite: sdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
      }),
  );
  return children.length ? new sdk.MultiKeyringNode({ generator, children }) : generator;
}

async function run(job) {
  if (job.encrypt !== undefined) {
    const { result } = await client.encrypt(keyring(job), bytes(job.encrypt), {
      suiteId: job.suite,
      frameLength: job.frameLength,
      encryptionContext: job.context,
    });
    return { data: result.toString("base64") };
  }
  try {
    const { plaintext, messageHeader } = await client.decrypt(keyring(job), bytes(job.decrypt));
    return { data: plaintext.toString("base64"), context: messageHeader.encryptionContext };
  } catch (e) {
    return { error: String(e) };
  }
}

(async () => {
  const results = [];
  for (const job of JSON.parse(require("node:fs").readFileSync(0))) results.push(await run(job));
  process.stdout.write(JSON.stringify(results));
})();
