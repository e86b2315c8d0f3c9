{{/* How often and how a monitor scrapes. */}}
{{- define "mongo2kafka.scrape" -}}
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
{{- with .relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Matchers of PromQL for the metrics of this release: the job is the Service's name, or namespace/name of the PodMonitor. */}}
{{- define "mongo2kafka.metricsSelector" -}}
{{- $name := include "mongo2kafka.fullname" . -}}
{{- default (printf `namespace="%s",job=~"(%s/)?%s"` .Release.Namespace .Release.Namespace $name) .Values.metrics.selector -}}
{{- end -}}

{{/*
By how much the number of pods is to be multiplied, as one number of PromQL:
- 1, which holds it, while quotas of the broker make the sink wait, and where nothing is known;
- the lag over what is allowed, at most 2, where that is above 1. Only pipelines that run count: more pods help none that
  is paused, failed, or retrying;
- else how busy pods are over how busy they are to be, at most 1. A pod is as busy as its busiest pipeline.
*/}}
{{- define "mongo2kafka.scalingQuery" -}}
{{- $auto := .Values.autoscaling -}}
{{- $s := include "mongo2kafka.metricsSelector" . -}}
(
  clamp_max(
    max(
      mongo2kafka_pipeline_lag_seconds{ {{- $s -}} }
      and on (instance, pipeline) mongo2kafka_pipeline_state{ {{- $s -}} ,state="running"} == 1
    ) / {{ $auto.lagSeconds }},
    2
  ) > 1
  or on ()
  clamp_max(
    avg(max by (instance) (sum by (instance, pipeline) (mongo2kafka_stage_busy_ratio{ {{- $s -}} }))) / {{ $auto.busyRatio }},
    1
  )
)
unless on () max(rate(mongo2kafka_sink_throttled_seconds_total{ {{- $s -}} }[2m])) > {{ $auto.throttledRatio }}
or on () vector(1)
{{- end -}}
