#!/usr/bin/env bash
# all.sh : everything with one command, from nothing: figures to results.jsonl, goldens to golden/ (about 40 minutes)
set -euo pipefail; . "$(cd "$(dirname "$0")" && pwd)/env.sh"; cd "$here"
node "$here/../main.ts" --fetch; ./services.sh start; trap './services.sh stop' EXIT
./bench.sh prepare "${PREPARE:-debezium,mongo-kafka}" 300000 500000; ./queue.sh; ./golden.sh all; for c in debezium mongo-kafka; do ./faults.sh $c; done; ./table.py
