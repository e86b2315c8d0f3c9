#!/usr/bin/env bash
# Ours, as this checkout has it. M2K_HOME = another checkout with its packages installed.
# VARIANT = {lookup|nolookup}-{default|tuned}; tuned only adds compression, everything else is the product's defaults
set -euo pipefail
NAME=mongo2kafka; here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd); . "$here/env.sh"
M2K_HOME=${M2K_HOME:-$(cd "$here/../.." && pwd)}; PATH=$M2K_HOME/node_modules/.bin:$PATH
R=${RUN_ROOT:-$BENCH_HOME/run}/$NAME; mkdir -p "$R"; DB=${DB:-bench} VARIANT=${VARIANT:-nolookup-default} COLL=${COLL:-docs} MODE=${MODE:-stream} TOPIC_PREFIX=${TOPIC_PREFIX:-$NAME}
running() { [ -f "$R/pid" ] && kill -0 "$(cat "$R/pid")" 2>/dev/null; }
case $1 in
info) echo "mongo2kafka $(node -p "require('$M2K_HOME/package.json').version"), node $(node -v)" ;;
start)
  full=default; compression=none
  case $VARIANT in lookup*) full=updateLookup;; esac; case $VARIANT in *tuned*) compression=lz4;; esac
  cat > "$R/config.yaml" <<P
name: bench
mongodb: { uri: "$MONGO_URI" }
sink: { type: kafka, brokers: ["$BROKERS"], producer: { compression: $compression } }
checkpoint: { store: file, path: "$R/checkpoint" }
admin: { host: 127.0.0.1, port: $((REST_PORT + 7)) }
log: { level: warn }
pipelines:
  - name: $COLL
    source: { collections: [$DB.$COLL], snapshot: $([ "$MODE" = snapshot ] && echo initial || echo never), fullDocument: $full, fullDocumentBeforeChange: default }
    topic: "$TOPIC_PREFIX.{db}.{collection}"
    value: { format: json, shape: change-event }
P
  setsid nohup node "$M2K_HOME/src/main.ts" run -c "$R/config.yaml" > "$R/log" 2>&1 < /dev/null & echo $! > "$R/pid" ;;
wait-ready) for i in $(seq 300); do running || { tail -20 "$R/log" >&2; exit 1; }; curl -fs --noproxy '*' "http://127.0.0.1:$((REST_PORT + 7))/readyz" >/dev/null && exit 0; sleep 0.1; done; exit 1 ;;
stop) if running; then kill "$(cat "$R/pid")"; for i in $(seq 150); do running || exit 0; sleep 0.2; done; kill -9 "$(cat "$R/pid")"; fi ;;
pid) cat "$R/pid" ;;
reset) rm -rf "$R/checkpoint" ;;
save-offsets) cp -r "$R/checkpoint" "$2" ;;
load-offsets) rm -rf "$R/checkpoint"; cp -r "$2" "$R/checkpoint" ;;
esac
