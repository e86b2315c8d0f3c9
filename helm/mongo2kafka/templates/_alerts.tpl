{{/*
The groups of the PrometheusRule, as text. Made from files/rules.template.yaml and the values below prometheusRule;
`selector`: matchers without braces, or empty. helm/alerts/rules.ts does the same with the default values.
Use: include "mongo2kafka.alerts.groups" (dict "root" $ "selector" $selector)
*/}}
{{- define "mongo2kafka.alerts.groups" -}}
{{- $values := .root.Values.prometheusRule -}}
{{- $selector := .selector | default "" -}}
{{- $common := dict "runbookUrl" $values.runbookUrl "freshnessLagSeconds" $values.freshness.lagSeconds "freshnessObjective" $values.freshness.objective -}}
{{- $groups := list -}}
{{- range $group := (.root.Files.Get "files/rules.template.yaml" | fromYaml).groups -}}
{{- $rules := list -}}
{{- range $rule := $group.rules -}}
{{- $tokens := deepCopy $common -}}
{{- $enabled := true -}}
{{- if hasKey $rule "key" -}}
{{- $settings := index $values.alerts $rule.key -}}
{{- $enabled = $settings.enabled -}}
{{- range $name, $value := $settings -}}
{{- $_ := set $tokens $name $value -}}
{{- end -}}
{{- end -}}
{{- if $enabled -}}
{{- $made := dict -}}
{{- range $name, $part := omit $rule "key" -}}
{{- if kindIs "map" $part -}}
{{- $texts := dict -}}
{{- range $label, $text := $part -}}
{{- $_ := set $texts $label (include "mongo2kafka.alerts.fill" (dict "text" $text "tokens" $tokens "selector" $selector)) -}}
{{- end -}}
{{- $_ := set $made $name $texts -}}
{{- else -}}
{{- $_ := set $made $name (include "mongo2kafka.alerts.fill" (dict "text" $part "tokens" $tokens "selector" $selector)) -}}
{{- end -}}
{{- end -}}
{{- $rules = append $rules $made -}}
{{- end -}}
{{- end -}}
{{- $groups = append $groups (dict "name" $group.name "rules" $rules) -}}
{{- end -}}
{{- dict "groups" $groups | toYaml -}}
{{- end -}}

{{/* A text with its tokens filled: $(selector), and $(name) by the value of that name. */}}
{{- define "mongo2kafka.alerts.fill" -}}
{{- $text := .text -}}
{{- if .selector -}}
{{- $text = replace "$(selector)" .selector $text -}}
{{- else -}}
{{- $text = replace "{$(selector)}" "" $text | replace ",$(selector)}" "}" -}}
{{- end -}}
{{- range $name, $value := .tokens -}}
{{- $text = replace (printf "$(%s)" $name) (toString $value) $text -}}
{{- end -}}
{{- $text -}}
{{- end -}}
