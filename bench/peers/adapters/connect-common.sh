# sourced by adapters that run inside Kafka Connect standalone.
# A connector adapter is a script: adapters/NAME.sh start|wait-ready|stop|pid|reset|save-offsets FILE|load-offsets FILE|info
# environment in: VARIANT  DB and COLL (database, by default bench, and collection)  MODE=snapshot|stream  TOPIC_PREFIX ; topic is $TOPIC_PREFIX.$DB.$COLL
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd); . "$here/env.sh"
R=${RUN_ROOT:-$BENCH_HOME/run}/$NAME; mkdir -p "$R"
DB=${DB:-bench} VARIANT=${VARIANT:-default} COLL=${COLL:-docs} MODE=${MODE:-stream} TOPIC_PREFIX=${TOPIC_PREFIX:-$NAME}
running() { [ -f "$R/pid" ] && kill -0 "$(cat "$R/pid")" 2>/dev/null; }
connect_start() { # stdin: connector properties
  cat > "$R/connector.properties"
  cat > "$R/worker.properties" <<P
bootstrap.servers=$BROKERS
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=false
value.converter.schemas.enable=false
offset.storage.file.filename=$R/offsets
offset.flush.interval.ms=1000
plugin.path=$BENCH_HOME/lib/$NAME-$PLUGIN_VERSION
listeners=http://127.0.0.1:$REST_PORT
connector.client.config.override.policy=All
P
  cat > "$R/log4j.properties" <<P
log4j.rootLogger=INFO, o
log4j.appender.o=org.apache.log4j.ConsoleAppender
log4j.appender.o.layout=org.apache.log4j.PatternLayout
log4j.appender.o.layout.ConversionPattern=%d %p %m (%c)%n
P
  # JVM flags: the ones kafka-run-class.sh uses, plus the Connect heap default
  setsid nohup java $CONNECT_HEAP -server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent \
    -Djava.awt.headless=true -Dlog4j.configuration="file:$R/log4j.properties" -cp "$BENCH_HOME/lib/connect-$KAFKA_VERSION/*" \
    org.apache.kafka.connect.cli.ConnectStandalone "$R/worker.properties" "$R/connector.properties" > "$R/log" 2>&1 < /dev/null &
  echo $! > "$R/pid"
}
connect_cmd() {
  case $1 in
  wait-ready) for i in $(seq 300); do running || { tail -20 "$R/log" >&2; exit 1; }
      s=$(curl -s --noproxy '*' "http://127.0.0.1:$REST_PORT/connectors/$NAME/status" || true)
      case $s in *'"tasks":[{'*'"state":"FAILED"'*) echo "$s" >&2; exit 1;; *'"tasks":[{'*'"state":"RUNNING"'*) exit 0;; esac; sleep 0.2; done; exit 1 ;;
  stop) if running; then kill "$(cat "$R/pid")"; for i in $(seq 150); do running || exit 0; sleep 0.2; done; kill -9 "$(cat "$R/pid")"; fi ;;
  pid) cat "$R/pid" ;;
  reset) rm -f "$R/offsets" ;;
  save-offsets) cp "$R/offsets" "$2" ;;
  load-offsets) cp "$2" "$R/offsets" ;;
  status) curl -s --noproxy '*' "http://127.0.0.1:$REST_PORT/connectors/$NAME/status" ;;
  esac
}
TUNED_PRODUCER='producer.override.linger.ms=20
producer.override.batch.size=262144
producer.override.buffer.memory=67108864
producer.override.compression.type=lz4
producer.override.max.request.size=20000000'
