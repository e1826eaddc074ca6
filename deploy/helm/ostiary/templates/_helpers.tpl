{{- define "ostiary.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ostiary.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ostiary.labels" -}}
{{ include "ostiary.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* The configuration file: the chart's own keys win, because the rest of the chart relies on them. */ -}}
{{- define "ostiary.config" -}}
{{- $public := dict "host" "0.0.0.0" "port" 4433 -}}
{{- if .Values.tlsSecret -}}
{{- $_ := set $public "tls" (dict "certificate_file" "/run/secrets/tls/tls.crt" "key_file" "/run/secrets/tls/tls.key") -}}
{{- end -}}
{{- $admin := dict "host" "127.0.0.1" "port" 4434 -}}
{{- if .Values.admin.tlsSecret -}}
{{- $_ := set $admin "host" "0.0.0.0" -}}
{{- $_ := set $admin "tls" (dict "certificate_file" "/run/secrets/admin-tls/tls.crt" "key_file" "/run/secrets/admin-tls/tls.key") -}}
{{- with .Values.admin.clientAuthorityKey -}}
{{- $_ := set $admin "client_ca_file" (printf "/run/secrets/admin-tls/%s" .) -}}
{{- end -}}
{{- end -}}
{{- $own := dict
  "server" (dict "public" $public "admin" $admin "shutdown_timeout" (printf "%vs" (int .Values.shutdownTimeoutSeconds)))
  "database" (dict "url" (dict "file" "/run/secrets/ostiary/database-url"))
  "secrets" (dict "sealing" (list (dict "file" "/run/secrets/ostiary/sealing-key"))) -}}
{{- $given := deepCopy .Values.config -}}
{{- if hasKey (default dict $given.secrets) "sealing" -}}
{{- $_ := unset $own "secrets" -}}
{{- end -}}
{{- toYaml (mergeOverwrite $given $own) -}}
{{- end -}}
