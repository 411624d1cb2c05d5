// Decrypts one message, from standard input to standard output, with the official JavaScript SDK: decrypt.js ARN
const sdk = require("@aws-crypto/client-node");
const client = sdk.buildClient(sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);

(async () => {
  const message = new Uint8Array(require("node:fs").readFileSync(0));
  const keyring = new sdk.KmsKeyringNode({ generatorKeyId: process.argv[2] });
  const { plaintext } = await client.decrypt(keyring, message);
  process.stdout.write(plaintext);
})();
