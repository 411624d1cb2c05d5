# The main job, step by step; make demo runs it under ms-dev.
set -eu
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT

say() { printf '\n# %s\n' "$*"; }
run() { printf '$ %s\n' "$1"; eval "$1"; }

say 'Put a secret from standard input. The receipt is the SHA-256 of the stored message.'
run 'printf hunter2 | ms-put myservice/password'

say 'Put an environment.'
run "printf 'DB_URL=db://user:pass@example.com:123\nPASSWORD=hunter2\n' | ms-put -e myservice/env | tee receipt"

say 'Put 5 MiB of random bytes.'
run 'head -c 5242880 /dev/urandom > noise'
run 'ms-put myservice/noise noise'

say 'List the secrets, and the services.'
run 'ms-ls -l'
run 'ms-ls -top'

say 'Get them back, byte for byte.'
run 'ms-get myservice/password; echo'
run 'ms-get myservice/noise | cmp - noise && echo identical'

say 'In a pipeline: write every secret of the service to a file.'
run 'ms-ls myservice/ | ms-get -d out -'
run 'ls -lR out'

say 'Hand them to a program, which ms-exec becomes.'
run "ms-exec -only 'DB_URL PASSWORD' myservice/env -- /usr/bin/env | grep -E '^(DB_URL|PASSWORD)='"

say 'Accept only the write that the receipt names.'
run 'ms-exec -c "$(cut -c1-64 receipt)" myservice/env -- echo accepted'

say 'S3 holds one encrypted, signed message.'
run 'ms-dev -tell "cat myservice/password" | head -c 3 | od -An -tx1'
run '! ms-dev -tell "cat myservice/password" | grep -q hunter2 && echo "hunter2 is not in it"'

say 'An object that somebody has altered is refused.'
run 'ms-dev -tell "flip myservice/password 700"'
run 'ms-get myservice/password || echo "status $?"'
