// The same series, kept and rendered by prom-client. Usage: prom-client.js FILE PORT, the file being a page of ours.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Gauge, Registry } from 'prom-client'

const [file = '', port] = process.argv.slice(2)
const registry = new Registry()
const gauges = new Map<string, Gauge>()
for (const line of readFileSync(file, 'utf8').split('\n')) {
  const [, name, pairs = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined) continue
  const labels = Object.fromEntries(
    [...pairs.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', text = '']) => [label, text]),
  )
  // One metric has one set of labels there; with us the identity's names differ by probe.
  const own = [name, ...Object.keys(labels)].join('_')
  let gauge = gauges.get(own)
  if (gauge === undefined) {
    gauge = new Gauge({ name: own, help: name, labelNames: Object.keys(labels), registers: [registry] })
    gauges.set(own, gauge)
  }
  gauge.set(labels, Number(value))
}
createServer((_request, response) => {
  void registry.metrics().then((text) => response.end(text))
}).listen(Number(port), '127.0.0.1')
