{{/* What would start and then go wrong is refused here, in words that say what to do. */}}
{{- define "mongo2kafka.validate" -}}
{{- include "mongo2kafka.validateConfig" . -}}
{{- include "mongo2kafka.validateWorkers" . -}}
{{- include "mongo2kafka.validateAutoscaling" . -}}
{{- include "mongo2kafka.validateStore" . -}}
{{- $drain := include "mongo2kafka.seconds" .Values.config.shutdown.drain | int64 -}}
{{- if le (include "mongo2kafka.graceSeconds" . | int64) $drain -}}
{{- fail (printf "terminationGracePeriodSeconds: %v is not longer than config.shutdown.drain (%s): pods would be killed while they drain. Leave it at 0, or raise it." .Values.terminationGracePeriodSeconds .Values.config.shutdown.drain) -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics: serviceMonitor and podMonitor would each scrape every pod, and sums over pods would be twice too large. Enable one of them." -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.validateConfig" -}}
{{- if not .Values.existingConfigMap -}}
{{- $config := .Values.config -}}
{{- if not $config.name -}}
{{- fail "config.name: give this deployment a name, and keep it: its checkpoints, transactional ids and worker group are found by it." -}}
{{- end -}}
{{- if not $config.pipelines -}}
{{- fail "config.pipelines: there is none. The least that works: config.pipelines[0].name=shop,config.pipelines[0].source.collections={shop.*}" -}}
{{- end -}}
{{- range $path := fromJsonArray (include "mongo2kafka.secretPaths" .) -}}
{{- $value := $config -}}
{{- range $key := splitList "." $path -}}
{{- if kindIs "map" $value -}}
{{- $value = get $value $key -}}
{{- else -}}
{{- $value = "" -}}
{{- end -}}
{{- end -}}
{{- include "mongo2kafka.validateSecret" (dict "path" $path "value" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Settings that are secrets, as the schema of the configuration marks them; a test compares. */}}
{{- define "mongo2kafka.secretPaths" -}}
["admin.token","checkpoint.uri","mongodb.uri","sink.sasl.aws.secretAccessKey","sink.sasl.aws.sessionToken","sink.sasl.oauth.clientSecret","sink.sasl.password","sink.tls.passphrase"]
{{- end -}}

{{/* Who may read ConfigMaps, or the release, would read the secret. A connection string without a password is none. */}}
{{- define "mongo2kafka.validateSecret" -}}
{{- if and .value (kindIs "string" .value) -}}
{{- $isUri := hasSuffix "uri" .path -}}
{{- $isPlain := ternary (regexMatch "^mongodb(\\+srv)?://[^/@]*:[^/@$][^/@]*@" .value) (not (contains "${" .value)) $isUri -}}
{{- if $isPlain -}}
{{- fail (printf "config.%s: a secret must not stand in a ConfigMap. Put it into a Secret, name that in existingSecret, and write a placeholder: ${VARIABLE}" .path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.validateWorkers" -}}
{{- $workers := .Values.config.workers -}}
{{- $replicas := .Values.replicaCount | int64 -}}
{{- $slots := $workers.slots | int64 -}}
{{- if eq $workers.coordination "none" -}}
{{- if gt (include "mongo2kafka.maxReplicas" . | int64) 1 -}}
{{- fail (printf "replicaCount: %d pods without coordination would throw each other out. Set config.workers.coordination to kafka, and config.workers.slots to the largest number of pods that you will ever want." (include "mongo2kafka.maxReplicas" . | int64)) -}}
{{- end -}}
{{- end -}}
{{- if eq $workers.coordination "static" -}}
{{- if hasKey $workers "ordinal" -}}
{{- fail "config.workers.ordinal: each pod of the StatefulSet has its own. Remove it." -}}
{{- end -}}
{{- if and (hasKey $workers "replicas") (ne ($workers.replicas | int64) $replicas) -}}
{{- fail (printf "config.workers.replicas: is %v, but replicaCount is %d. Remove it: the chart sets it." $workers.replicas $replicas) -}}
{{- end -}}
{{- if gt $replicas $slots -}}
{{- fail (printf "replicaCount: %d pods with fixed slots, but config.workers.slots is %d. The slots are fixed at the first start; take at most as many pods." $replicas $slots) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.validateAutoscaling" -}}
{{- $auto := .Values.autoscaling -}}
{{- if $auto.enabled -}}
{{- $slots := .Values.config.workers.slots | int64 -}}
{{- $max := include "mongo2kafka.maxReplicas" . | int64 -}}
{{- if ne .Values.config.workers.coordination "kafka" -}}
{{- fail "autoscaling: pods can come and go only with config.workers.coordination: kafka." -}}
{{- end -}}
{{- if gt $max $slots -}}
{{- fail (printf "autoscaling.maxReplicas: is %d, but there are %d slots (config.workers.slots): more pods would have nothing to do." $max $slots) -}}
{{- end -}}
{{- if gt ($auto.minReplicas | int64) $max -}}
{{- fail (printf "autoscaling.minReplicas: is %d, more than the largest number, %d." ($auto.minReplicas | int64) $max) -}}
{{- end -}}
{{- if and (eq $auto.type "keda") (not $auto.keda.serverAddress) -}}
{{- fail "autoscaling.keda.serverAddress: the address of Prometheus is missing, such as http://prometheus.monitoring:9090" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.validateStore" -}}
{{- $checkpoint := .Values.config.checkpoint | default dict -}}
{{- if eq (get $checkpoint "store") "file" -}}
{{- $path := get $checkpoint "path" | default "" -}}
{{- $mounts := .Values.extraVolumeMounts -}}
{{- if .Values.persistence.enabled -}}{{- $mounts = append $mounts (dict "mountPath" .Values.persistence.mountPath) -}}{{- end -}}
{{- $kept := false -}}
{{- range $mounts -}}
{{- if or (eq $path .mountPath) (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $path) -}}{{- $kept = true -}}{{- end -}}
{{- end -}}
{{- if not $kept -}}
{{- fail (printf "config.checkpoint.path: %q lies in no volume, and the root file system is read-only. Enable persistence and take a path below %s." $path .Values.persistence.mountPath) -}}
{{- end -}}
{{- end -}}
{{- end -}}
