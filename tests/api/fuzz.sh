#!/usr/bin/env bash
# Starts the service on a free port, with a key and nothing kept, and lets schemathesis loose on it.
# Arguments: the folder of cheque-reader, that of schemathesis, examples for each operation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

: >"$work/log"
CHEQUE_API_KEY=$key CHEQUE_DATA_DIR=$work/data CHEQUE_RATE=100000 CHEQUE_RATE_BURST=100000 \
    CHEQUE_BODY_SECONDS=5 CHEQUE_BATCH_SECONDS=5 CHEQUE_LOG_LEVEL=warning \
    CHEQUE_WEBHOOK_HOSTS=127.0.0.1 CHEQUE_WEBHOOK_SECRET=$key \
    "$1/cheque-reader" serve --port 0 2>"$work/log" &
server=$!
for _ in $(seq 300); do
    url=$(sed -n 's/.* on \(http:[^ ]*\) .*/\1/p' "$work/log" | head -1)
    if [ -n "$url" ] && curl --silent --fail --output /dev/null "$url/readyz"; then break; fi
    kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
    sleep 0.2
done

# The schema can't say which bytes are an image: what keeps to it may still be refused, with 422.
SCHEMATHESIS_HOOKS=fuzz "$2/schemathesis" run "$url/openapi.json" \
    --header "Authorization: Bearer $key" --max-examples "$3" --continue-on-failure \
    --phases examples,coverage,fuzzing,stateful --exclude-checks positive_data_acceptance \
    --output-sanitize true --suppress-health-check all
