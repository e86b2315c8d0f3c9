#!/usr/bin/env bash
# services.sh start|stop|wipe : a private mongod (single-node replica set "bench") and a private KRaft broker
set -euo pipefail
. "$(cd "$(dirname "$0")" && pwd)/env.sh"
D=$BENCH_HOME/data; mkdir -p "$D"
alive() { [ -f "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }
case $1 in
start)
  mkdir -p "$D/mongo" "$D/kafka"
  alive "$D/mongod.pid" || "$MONGOD" --replSet bench --port "$MONGO_PORT" --bind_ip 127.0.0.1 --dbpath "$D/mongo" --fork \
    --logpath "$D/mongod.log" --pidfilepath "$D/mongod.pid" --wiredTigerCacheSizeGB "${MONGO_CACHE_GB:-4}" --oplogSize "${OPLOG_MB:-8192}" >/dev/null
  if ! alive "$D/kafka.pid"; then
    cat > "$D/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((KAFKA_PORT+1))
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$((KAFKA_PORT+1))
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$D/kafka/logs
num.partitions=8
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=true
delete.topic.enable=true
log.segment.delete.delay.ms=1000
P
    [ -f "$D/kafka/logs/meta.properties" ] || java -cp "$KAFKA_JARS/*" kafka.tools.StorageTool format -t "$(python3 -c "import uuid,base64;print(base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip('='))")" -c "$D/server.properties" >/dev/null
    setsid nohup java -Xmx1g -Xms1g -XX:+UseG1GC -cp "$KAFKA_JARS/*" kafka.Kafka "$D/server.properties" > "$D/kafka.log" 2>&1 < /dev/null &
    echo $! > "$D/kafka.pid"
  fi
  node "$here/load.mjs" init ;;
stop) for p in kafka mongod; do alive "$D/$p.pid" && kill "$(cat "$D/$p.pid")" || true; done
  for i in $(seq 60); do alive "$D/kafka.pid" || alive "$D/mongod.pid" || break; sleep 0.5; done ;;
wipe) "$0" stop; rm -rf "$D" ;;
esac
