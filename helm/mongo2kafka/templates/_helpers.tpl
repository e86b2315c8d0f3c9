{{- define "mongo2kafka.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Names of pods end with an ordinal or two hashes, and all of it is at most 63 characters: 40 are ours. */}}
{{- define "mongo2kafka.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.selectorLabels" -}}
app.kubernetes.io/name: {{ include "mongo2kafka.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of what is no pod of the daemon. */}}
{{- define "mongo2kafka.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mongo2kafka.labels" -}}
{{ include "mongo2kafka.selectorLabels" . }}
{{ include "mongo2kafka.commonLabels" . }}
{{- end -}}

{{/* `annotations:` of the metadata of an object: those of all objects and `.own`; nothing where there are none. */}}
{{- define "mongo2kafka.annotations" -}}
{{- with merge (dict) (.own | default dict) .root.Values.commonAnnotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Labels of the pod of `helm test`, which no selector of the daemon's pods may find. */}}
{{- define "mongo2kafka.testLabels" -}}
app.kubernetes.io/name: {{ include "mongo2kafka.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "mongo2kafka.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "mongo2kafka.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- if $image.registry -}}{{- $repository = printf "%s/%s" $image.registry $repository -}}{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Whole seconds, rounded up, of a duration of the configuration such as 1.5m. */}}
{{- define "mongo2kafka.seconds" -}}
{{- $factors := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" . | float64 -}}
{{- mulf $number (get $factors (regexFind "[a-z]+$" .)) | ceil | int64 -}}
{{- end -}}

{{/* How long Kubernetes waits before it kills: the drain, and 15 s to hand slots over and to close connections. */}}
{{- define "mongo2kafka.graceSeconds" -}}
{{- $drain := include "mongo2kafka.seconds" .Values.config.shutdown.drain | int64 -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- else -}}
{{- add $drain 15 -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.kind" -}}
{{- ternary "StatefulSet" "Deployment" (eq .Values.config.workers.coordination "static") -}}
{{- end -}}

{{/* The largest number of pods there may be. */}}
{{- define "mongo2kafka.maxReplicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- .Values.autoscaling.maxReplicas | default .Values.config.workers.slots | int64 -}}
{{- else -}}
{{- .Values.replicaCount | int64 -}}
{{- end -}}
{{- end -}}

{{- define "mongo2kafka.configMapName" -}}
{{- default (include "mongo2kafka.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* Where the file lies in the container. */}}
{{- define "mongo2kafka.configFile" -}}
/etc/mongo2kafka/{{ ternary .Values.existingConfigMapKey "mongo2kafka.yaml" (ne .Values.existingConfigMap "") }}
{{- end -}}

{{/* The configuration as JSON: that of the values, and how many workers there are, for slots by ordinal. */}}
{{- define "mongo2kafka.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (eq $config.workers.coordination "static") (gt (.Values.replicaCount | int64) 0) -}}
{{- $_ := set $config.workers "replicas" (.Values.replicaCount | int64) -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{/* What a pod cannot take over while it runs. */}}
{{- define "mongo2kafka.restartConfig" -}}
{{- $config := include "mongo2kafka.config" . | fromJson -}}
{{- if eq .Values.configReload "hot" -}}
{{- $config = omit $config "pipelines" "defaults" "revision" -}}
{{- end -}}
{{- toJson $config -}}
{{- end -}}

{{- define "mongo2kafka.claimName" -}}
{{- default (include "mongo2kafka.fullname" .) .Values.persistence.existingClaim -}}
{{- end -}}
