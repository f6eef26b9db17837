{{- define "docusage.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "docusage.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "docusage.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "docusage.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "docusage.selectorLabels" -}}
app.kubernetes.io/name: {{ include "docusage.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "docusage.labels" -}}
{{ include "docusage.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: docusage
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "docusage.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "docusage.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "docusage.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The source of config.yaml: exactly one of demo, existingConfigMap, existingSecret, config. */}}
{{- define "docusage.validate" -}}
{{- $given := list -}}
{{- if .Values.demo }}{{ $given = append $given "demo" }}{{ end -}}
{{- if .Values.existingConfigMap }}{{ $given = append $given "existingConfigMap" }}{{ end -}}
{{- if .Values.existingSecret }}{{ $given = append $given "existingSecret" }}{{ end -}}
{{- if .Values.config.targets }}{{ $given = append $given "config.targets" }}{{ end -}}
{{- if not $given -}}
{{- fail "no targets: set config.targets to the accounts to poll (or existingConfigMap or existingSecret to a resource with a config.yaml, or demo: true for a first look)" -}}
{{- end -}}
{{- if gt (len $given) 1 -}}
{{- fail (printf "set only one of %s" (join ", " $given)) -}}
{{- end -}}
{{- if and .Values.demo (gt (int .Values.shards) 1) -}}
{{- fail "demo: true runs one pod; set shards to 1" -}}
{{- end -}}
{{- if and .Values.webConfig.tls (not .Values.webConfig.existingSecret) -}}
{{- fail "webConfig.tls needs webConfig.existingSecret: a Secret with a web-config.yml and the certificate" -}}
{{- end -}}
{{- end -}}
