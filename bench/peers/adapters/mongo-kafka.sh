#!/usr/bin/env bash
# Official MongoDB source connector in Kafka Connect standalone. VARIANT = {lookup|nolookup|preimage}-{default|tuned}
NAME=mongo-kafka; . "$(dirname "${BASH_SOURCE[0]}")/../env.sh"; PLUGIN_VERSION=$MONGO_KAFKA_VERSION; . "$(dirname "${BASH_SOURCE[0]}")/connect-common.sh"
case $1 in
info) echo "mongo-kafka-connect $MONGO_KAFKA_VERSION, Kafka Connect $KAFKA_VERSION, $(java -version 2>&1 | head -1)" ;;
start)
  { cat <<P
name=mongo-kafka
connector.class=com.mongodb.kafka.connect.MongoSourceConnector
tasks.max=1
connection.uri=${CONNECTOR_MONGO_URI:-$MONGO_URI}
topic.prefix=$TOPIC_PREFIX
database=$DB
collection=$COLL
publish.full.document.only=false
startup.mode=$([ "$MODE" = snapshot ] && echo copy_existing || echo latest)
output.format.value=json
value.converter=org.apache.kafka.connect.storage.StringConverter
P
  # key: default = documentKey as JSON, {"_id": ...}; *schemakey* = the often-copied schema recipe (int 42 and string "42" then share one key)
  case $VARIANT in *schemakey*) cat <<'P'
output.format.key=schema
output.schema.key={"type":"record","name":"key","fields":[{"name":"documentKey","type":{"type":"record","name":"dk","fields":[{"name":"_id","type":"string"}]}}]}
P
  ;; *) printf '%s\n' output.format.key=json key.converter=org.apache.kafka.connect.storage.StringConverter;; esac
  case $VARIANT in lookup*) echo change.stream.full.document=updateLookup;; preimage*) printf '%s\n' change.stream.full.document=updateLookup change.stream.full.document.before.change=whenAvailable;; esac
  case $VARIANT in *tuned*) cat <<P
poll.max.batch.size=8192
poll.await.time.ms=10
startup.mode.copy.existing.queue.size=32768
$TUNED_PRODUCER
P
  esac; printf '%s\n' "${EXTRA:-}"; } | connect_start ;;
*) connect_cmd "$@" ;;
esac
