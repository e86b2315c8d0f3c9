#!/usr/bin/env bash
# Debezium MongoDB connector in Kafka Connect standalone. VARIANT = {lookup|nolookup|preimage}-{default|tuned}
NAME=debezium; . "$(dirname "${BASH_SOURCE[0]}")/../env.sh"; PLUGIN_VERSION=$DEBEZIUM_VERSION; . "$(dirname "${BASH_SOURCE[0]}")/connect-common.sh"
case $1 in
info) echo "debezium-connector-mongodb $DEBEZIUM_VERSION, Kafka Connect $KAFKA_VERSION, $(java -version 2>&1 | head -1)" ;;
start)
  case $VARIANT in lookup*) cap=change_streams_update_full;; nolookup*) cap=change_streams;; preimage*) cap=change_streams_update_full_with_pre_image;; preonly*) cap=change_streams_with_pre_image;; *) cap=change_streams_update_full;; esac
  { cat <<P
name=debezium
connector.class=io.debezium.connector.mongodb.MongoDbConnector
tasks.max=1
mongodb.connection.string=${CONNECTOR_MONGO_URI:-$MONGO_URI}
topic.prefix=$TOPIC_PREFIX
collection.include.list=$DB.$COLL
capture.mode=$cap
snapshot.mode=$([ "$MODE" = snapshot ] && echo initial || echo no_data)
P
  case $VARIANT in *tuned*) cat <<P
max.batch.size=8192
max.queue.size=32768
poll.interval.ms=10
$TUNED_PRODUCER
P
  esac
  case $VARIANT in *noheaders*) echo extended.headers.enabled=false;; esac
  case $VARIANT in *postimage*) echo capture.mode.full.update.type=post_image;; esac
  printf '%s\n' "${EXTRA:-}"; } | connect_start ;;
*) connect_cmd "$@" ;;
esac
