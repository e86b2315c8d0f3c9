# sourced by every script; override any of these in the environment
here=${here:-$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mongo2kafka # where src/services keeps mongod and Kafka, too
export BENCH_HOME=${BENCH_HOME:-$cache/peers}
export MONGOD=${MONGOD:-$(command -v mongod || echo "$cache/mongod-6.0.5/mongod")}
export MONGO_PORT=${MONGO_PORT:-27217} KAFKA_PORT=${KAFKA_PORT:-29192} REST_PORT=${REST_PORT:-28083}
export MONGO_URI=${MONGO_URI:-mongodb://127.0.0.1:$MONGO_PORT/?replicaSet=bench&directConnection=false}
export BROKERS=${BROKERS:-127.0.0.1:$KAFKA_PORT}
export RESULTS=${RESULTS:-$here/results.jsonl}
export KAFKA_VERSION=${KAFKA_VERSION:-4.1.1} DEBEZIUM_VERSION=${DEBEZIUM_VERSION:-3.6.1.Final} MONGO_KAFKA_VERSION=${MONGO_KAFKA_VERSION:-2.0.1}
export KAFKA_JARS=${KAFKA_JARS:-$cache/kafka-$KAFKA_VERSION}
export CONNECT_HEAP=${CONNECT_HEAP:-"-Xms256m -Xmx2g"}
