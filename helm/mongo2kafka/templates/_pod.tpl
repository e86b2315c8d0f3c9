{{/*
Template of the pods, the same for Deployment and StatefulSet. Without the labels that name the chart: a new version of it
with the same image must not replace pods.
*/}}
{{- define "mongo2kafka.podTemplate" -}}
metadata:
  labels:
    {{- include "mongo2kafka.selectorLabels" . | nindent 4 }}
    {{- with merge (dict) .Values.podLabels .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $own := dict "kubectl.kubernetes.io/default-container" "mongo2kafka" }}
  {{- if not .Values.existingConfigMap }}
  {{- $_ := set $own "checksum/config" (include "mongo2kafka.restartConfig" . | sha256sum) }}
  {{- end }}
  {{- include "mongo2kafka.annotations" (dict "root" . "own" (merge (dict) .Values.podAnnotations $own)) | nindent 2 }}
spec:
  {{- include "mongo2kafka.podPlacement" . | trim | nindent 2 }}
  serviceAccountName: {{ include "mongo2kafka.serviceAccountName" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automountToken }}
  enableServiceLinks: false # A Service called m2k-… would otherwise become M2K_… variables, which the daemon refuses.
  terminationGracePeriodSeconds: {{ include "mongo2kafka.graceSeconds" . }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: mongo2kafka
      {{- include "mongo2kafka.containerBase" . | nindent 6 }}
        {{- if .Values.persistence.enabled }}
        - { name: data, mountPath: {{ .Values.persistence.mountPath }} }
        {{- end }}
      args: [run, -c, {{ include "mongo2kafka.configFile" . }}]
      ports:
        - name: http
          containerPort: {{ .Values.config.admin.port }}
          protocol: TCP
      startupProbe:
        httpGet: { path: /livez, port: http }
        {{- toYaml .Values.startupProbe | nindent 8 }}
      livenessProbe:
        httpGet: { path: /livez, port: http }
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        {{- toYaml .Values.readinessProbe | nindent 8 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "mongo2kafka.volumes" . | nindent 4 }}
    {{- if .Values.persistence.enabled }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "mongo2kafka.claimName" . }}
    {{- end }}
{{- end -}}

{{/* Image, rights, environment and mounts, as the daemon and the checks of `helm test` have them; ends with the mounts. */}}
{{- define "mongo2kafka.containerBase" -}}
image: {{ include "mongo2kafka.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- with include "mongo2kafka.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "mongo2kafka.envFrom" . | trim }}
envFrom:
  {{- . | nindent 2 }}
{{- end }}
volumeMounts:
  - { name: config, mountPath: /etc/mongo2kafka, readOnly: true }
  - { name: tmp, mountPath: /tmp }
  {{- range $index, $mount := .Values.secretMounts }}
  - { name: secret-{{ $index }}, mountPath: {{ $mount.path }}, readOnly: true }
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* With a file that the chart cannot read, it sets what it relies on itself. */}}
{{- define "mongo2kafka.env" -}}
{{- if .Values.existingConfigMap -}}
{{- $config := include "mongo2kafka.config" . | fromJson -}}
- { name: M2K_ADMIN__HOST, value: {{ $config.admin.host | quote }} }
- { name: M2K_ADMIN__PORT, value: {{ $config.admin.port | int64 | quote }} }
- { name: M2K_SHUTDOWN__DRAIN, value: {{ $config.shutdown.drain | quote }} }
- { name: M2K_WORKERS__SLOTS, value: {{ $config.workers.slots | int64 | quote }} }
- { name: M2K_WORKERS__COORDINATION, value: {{ $config.workers.coordination | quote }} }
{{- with $config.workers.replicas }}
- { name: M2K_WORKERS__REPLICAS, value: {{ . | int64 | quote }} }
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mongo2kafka.envFrom" -}}
{{- with .Values.existingSecret -}}
- secretRef: { name: {{ . }} }
{{- end }}
{{- with .Values.extraEnvFrom }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "mongo2kafka.volumes" -}}
- name: config
  configMap:
    name: {{ include "mongo2kafka.configMapName" . }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmpSizeLimit }}
{{- range $index, $mount := .Values.secretMounts }}
- name: secret-{{ $index }}
  secret:
    secretName: {{ $mount.secret }}
    defaultMode: 0440
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where pods run. */}}
{{- define "mongo2kafka.podPlacement" -}}
{{- range $key := list "priorityClassName" "runtimeClassName" "schedulerName" "dnsPolicy" }}
{{- with get $.Values $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "hostAliases" "dnsConfig" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
topologySpreadConstraints:
  {{- if .Values.topologySpreadConstraints }}
  {{- toYaml .Values.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "mongo2kafka.selectorLabels" $ | nindent 8 }}
  {{- end }}
  {{- end }}
{{- end -}}
