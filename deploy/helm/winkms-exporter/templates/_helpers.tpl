{{- define "winkms-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: a StatefulSet's name, with its shard, has to leave room for its revision in a label. */}}
{{- define "winkms-exporter.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $both := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- .Values.fullnameOverride | default $both | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "winkms-exporter.selector" -}}
app.kubernetes.io/name: {{ include "winkms-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "winkms-exporter.labels" -}}
{{ include "winkms-exporter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "winkms-exporter.image" -}}
{{- $repository := required "image.repository: where does your registry have the image? None is published." .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "winkms-exporter.serviceAccount" -}}
{{- $own := ternary (include "winkms-exporter.fullname" .) "default" .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default $own -}}
{{- end -}}

{{- define "winkms-exporter.configMap" -}}
{{- .Values.existingConfigMap | default (printf "%s-config" (include "winkms-exporter.fullname" .)) -}}
{{- end -}}

{{/* What all paths begin with, as the exporter works it out. */}}
{{- define "winkms-exporter.prefix" -}}
{{- .Values.web.routePrefix | default (get (urlParse .Values.web.externalUrl) "path") | trimSuffix "/" -}}
{{- end -}}

{{- define "winkms-exporter.scheme" -}}
{{- if and (or .Values.web.tls .Values.web.clientCertificates) (not .Values.web.secretName) -}}
{{- fail "web.tls, web.clientCertificates: nothing turns TLS on without a web.secretName" -}}
{{- end -}}
{{- ternary "HTTPS" "HTTP" .Values.web.tls -}}
{{- end -}}

{{/* One of Kubernetes' probes; `list . "/-/ready"`. */}}
{{- define "winkms-exporter.probe" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.web.clientCertificates -}}
tcpSocket: { port: metrics }
{{- else -}}
httpGet:
  path: {{ include "winkms-exporter.prefix" $root }}{{ index . 1 }}
  port: metrics
  scheme: {{ include "winkms-exporter.scheme" $root }}
{{- end -}}
{{- end -}}

{{/* The ports that `config` names for a protocol, and those of the values, once each: `list . "tcp"`. */}}
{{- define "winkms-exporter.egressPorts" -}}
{{- $root := index . 0 -}}
{{- $protocol := index . 1 -}}
{{- $config := toYaml $root.Values.config -}}
{{- $ports := dict -}}
{{- range index $root.Values.networkPolicy.egress $protocol }}{{ $_ := set $ports (toString (int .)) true }}{{ end -}}
{{- $keys := ternary "port|smb2|http|ntlm" "ntp" (eq $protocol "tcp") -}}
{{- /* A key with a port; a resolver or a reference, in a list; and, over TCP, a URL. */ -}}
{{- $patterns := list (printf "(?m)\\b(?:%s): [0-9]+$" $keys) "(?m)^ *- ['\"]?(?:[^ :]+|\\[[^ ]+\\]):[0-9]+['\"]?$" -}}
{{- if eq $protocol "tcp" }}{{ $patterns = append $patterns "://[^/ ]+:[0-9]+" }}{{ end -}}
{{- range $pattern := $patterns -}}
{{- range regexFindAll $pattern $config -1 -}}
{{- $_ := set $ports (regexFind "[0-9]+$" (trimAll "'\"" .)) true -}}
{{- end -}}
{{- end -}}
{{- range keys $ports | sortAlpha }}
- { protocol: {{ upper $protocol }}, port: {{ . }} }
{{- end -}}
{{- end -}}
