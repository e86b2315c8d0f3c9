#!/usr/bin/env bash
# broker-ceiling.sh : ProducerPerformance against the bench broker; one JSON line per case to $RESULTS
set -euo pipefail; . "$(cd "$(dirname "$0")" && pwd)/env.sh"
N=${N:-2000000}; pf=$BENCH_HOME/payload.txt
[ -s "$pf" ] || node --input-type=module -e 'import{EJSON}from"bson";import{randomUUID as u}from"crypto";const w=["alpha","bravo","charlie","delta","echo","foxtrot","golf","hotel"],p=()=>w[Math.random()*8|0];for(let i=0;i<20000;i++)console.log(JSON.stringify({_id:u(),seq:i,t:Date.now(),user:u(),email:p()+i+"@example.com",status:p(),amount:Math.random()*1000,qty:i%100,tags:[p(),p(),p()],address:{street:i+" "+p()+" street",city:p(),zip:""+i,country:"NL"},note:"The quick brown fox jumps over the lazy dog, and then it does it again and again because it can. "}))' > "$pf"
cpu() { awk '{print ($14+$15)/100}' "/proc/$1/stat"; }
one() { # NAME IDEMPOTENT COMPRESSION RECORD-SIZE|payload
  local args; if [ "$4" = payload ]; then args="--payload-file $pf"; else args="--record-size $4"; fi
  node "$here/count.mjs" topic perf 8; local kp; kp=$(cat "$BENCH_HOME/data/kafka.pid"); local k0; k0=$(cpu "$kp")
  local out; out=$( { /usr/bin/env TIMEFORMAT='CPU %U %S' bash -c "time java -Xmx1g -cp '$BENCH_HOME/lib/tools/*:$KAFKA_JARS/*' org.apache.kafka.tools.ProducerPerformance --topic perf --num-records $N --throughput -1 $args --producer-props bootstrap.servers=$BROKERS acks=all enable.idempotence=$2 compression.type=$3 linger.ms=20 batch.size=262144 buffer.memory=67108864" ; } 2>&1 )
  local k1; k1=$(cpu "$kp")
  python3 - "$1" "$2" "$3" "$4" "$N" "$k0" "$k1" "$out" <<'PY' | tee -a "$RESULTS"
import sys,re,json
n,idem,comp,size,N,k0,k1,out=sys.argv[1:]; N=int(N)
l=[x for x in out.splitlines() if 'records sent' in x and '99.9th' in x][-1]
u,s=re.search(r'CPU ([\d.]+) ([\d.]+)',out).groups(); rps,mb=re.search(r'([\d.]+) records/sec \(([\d.]+) MB/sec',l).groups()
print(json.dumps(dict(test='broker-ceiling',case=n,idempotent=idem,compression=comp,record=size,records=N,records_per_s=round(float(rps)),mb_per_s=float(mb),p99_ms=int(re.search(r'(\d+) ms 99th',l)[1]),producer_cpu_s_per_million=round((float(u)+float(s))/N*1e6,2),broker_cpu_s_per_million=round((float(k1)-float(k0))/N*1e6,2))))
PY
}
one payload-lz4 true lz4 payload; one payload-none true none payload; one random1000-lz4 true lz4 1000
