// The files of deploy/container by their linters, against each other, and against what they mount, copy and name. What Grafana
// is given is held against its documentation here, since there is no Grafana on this machine.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DCLinter } from 'dclint'
import { validate } from 'dockerfile-utils'
import { DockerfileParser } from 'dockerfile-ast'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { build, run } from '../e2e/built.ts'
import { program, realServer } from '../real/servers/need.ts'
import { compose, FOLDER, mountsOf, ROOT, serviceOf, text } from './compose.ts'
import { BASES } from './container-bases.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const yaml = (path: string): unknown => parse(read(path))
const { version } = JSON.parse(read('package.json')) as { version: string }
const services = Object.entries(compose.services)
const DOCKERFILE = read('deploy/container/Dockerfile')

describe('the Dockerfile', () => {
  const dockerfile = DockerfileParser.parse(DOCKERFILE)

  it('has no fault that its linter knows', () => {
    expect(validate(DOCKERFILE)).toEqual([])
    expect(validate(DOCKERFILE.replace('EXPOSE 11688', 'EXPOSE port'))).not.toEqual([])
  })

  it('begins with the images that the tests have stand-ins for, each with its version', () => {
    const stages = new Set(dockerfile.getFROMs().map((from) => from.getBuildStage()))
    const names = dockerfile.getFROMs().map((from) => from.getImage() ?? '')
    expect(new Set(names.filter((name) => !stages.has(name)))).toEqual(new Set(Object.keys(BASES)))
    const majors = names.flatMap((name) => /node(?:js|:)(\d+)/.exec(name)?.[1] ?? [])
    expect(new Set(majors).size).toBe(1)
  })

  it('copies what there is, and what .dockerignore lets through', () => {
    const copied = dockerfile
      .getCOPYs()
      .filter((copy) => !copy.getFlags().some((flag) => flag.getName() === 'from'))
      .flatMap((copy) => copy.getArguments().slice(0, -1))
      .map((argument) => argument.getValue())
    expect(copied.length).toBeGreaterThan(3)
    for (const path of copied) expect(existsSync(join(ROOT, path)), path).toBe(true)
    const [first, ...through] = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
    expect(first).toBe('*')
    expect(through.toSorted()).toEqual(copied.map((path) => `!${path}`).toSorted())
  })

  it('has the version of the package, also where it is named in passing', () => {
    const named = [
      ...`${DOCKERFILE}\n${text}\n${read('deploy/container/estate/winkms.yml')}\n${read('docs/install/container.md')}`.matchAll(
        /winkms-exporter:(\d[\w.-]*\w)|image\.version="([^"]+)"/g,
      ),
    ].map(([, tag, label]) => tag ?? label)
    expect(named.length).toBeGreaterThan(4)
    expect(new Set(named)).toEqual(new Set([version]))
  })
})

/** The package's own types name files that TypeScript does not find. */
interface Linted {
  readonly messages: readonly { readonly line: number; readonly message: string }[]
}

describe('compose.yml', () => {
  // Of dclint's rules, all but those about the order in which things are written.
  const ORDERS = ['service-keys-order', 'services-alphabetical-order', 'top-level-properties-order'] as const
  const lint = (content: string): readonly string[] => {
    const folder = mkdtempSync(join(tmpdir(), 'winkms-compose-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'compose.yml')
    writeFileSync(path, content)
    const rules = Object.fromEntries(ORDERS.map((name) => [name, 0 as const]))
    const linter = new DCLinter({ rules, quiet: true, debug: false, exclude: [] })
    const results = linter.lintFiles([path], false) as readonly Linted[]
    return results.flatMap(({ messages }) => messages.map(({ line, message }) => `${line}: ${message}`))
  }

  it('follows the specification (dclint has its schema), and dclint finds nothing else', () => {
    expect(lint(text)).toEqual([])
    expect(lint(text.replace('read_only: true', 'read_only: [maybe]'))).not.toEqual([])
    expect(lint(text.replace('prom/prometheus:v3.13.1', 'prom/prometheus:latest'))).not.toEqual([])
  })

  it.each(services)(
    '%s has a version, no rights that it does not need, and starts again',
    (_name, service) => {
      expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/)
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        restart: 'unless-stopped',
      })
      expect(service.cap_add ?? []).toEqual([])
      expect(service.privileged ?? false).toBe(false)
      expect(service.pids_limit).toBeGreaterThan(0)
      // To this machine only: who else may see it is for somebody to decide.
      for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:(\d+):\1$/)
      // The exporter's is in its image.
      expect(service.healthcheck !== undefined || service.build !== undefined).toBe(true)
    },
  )

  it.each(services)('%s mounts what there is, read-only unless it is a volume', (_name, service) => {
    for (const { from, to, readOnly, isVolume } of mountsOf(service)) {
      expect(isVolume ? from in compose.volumes : existsSync(from), from).toBe(true)
      expect(readOnly, from).toBe(!isVolume)
      expect(to).toMatch(/^\//)
    }
    for (const name of service.secrets ?? []) expect(compose.secrets).toHaveProperty(name)
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(condition).toBe('service_healthy')
      expect(serviceOf(other).healthcheck).toBeDefined()
      expect(serviceOf(other).profiles).toBeUndefined()
    }
  })

  it('uses every volume and every secret, and git ignores the secrets', async () => {
    const used = services.flatMap(([, service]) => mountsOf(service).filter(({ isVolume }) => isVolume))
    expect(new Set(used.map(({ from }) => from))).toEqual(new Set(Object.keys(compose.volumes)))
    const secrets = new Set(services.flatMap(([, service]) => service.secrets ?? []))
    expect(secrets).toEqual(new Set(Object.keys(compose.secrets)))
    for (const { file } of Object.values(compose.secrets)) {
      const path = join('deploy/container', file)
      const { stdout } = await promisify(execFile)('git', ['check-ignore', '--no-index', path], { cwd: ROOT })
      expect(stdout.trim()).toBe(path)
    }
  })

  it('builds the exporter by this Dockerfile, from the root', () => {
    for (const name of ['exporter', 'demo']) {
      const { context = '', dockerfile = '' } = serviceOf(name).build ?? {}
      expect(join(FOLDER, context)).toBe(ROOT)
      expect(statSync(join(FOLDER, context, dockerfile)).isFile()).toBe(true)
      expect(DOCKERFILE).toContain('ARG REVISION')
    }
  })

  it('has one way for Prometheus to the exporter, whichever profile is up', () => {
    expect(serviceOf('exporter').profiles).toEqual(['estate'])
    expect(serviceOf('demo').profiles).toEqual(['demo'])
    expect(serviceOf('demo').networks?.default.aliases).toEqual(['exporter'])
    expect(read('deploy/container/prometheus.yml')).toContain("'exporter:11688'")
  })
})

describe('the exporter', () => {
  beforeAll(build)

  it('takes the shipped configuration, whose secret is the one that is mounted', async () => {
    const mounted = '/run/secrets/kms_reader_password'
    expect(serviceOf('exporter').secrets).toEqual([mounted.split('/').at(-1)])
    const folder = mkdtempSync(join(tmpdir(), 'winkms-estate-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const shipped = read('deploy/container/estate/winkms.yml')
    expect(shipped).toContain(mounted)
    writeFileSync(join(folder, 'password'), 'secret')
    writeFileSync(join(folder, 'winkms.yml'), shipped.replace(mounted, join(folder, 'password')))
    expect(await run(['config', 'check', join(folder, 'winkms.yml')])).toMatchObject({ ending: 0, err: '' })
  })

  it('knows the flags that compose.yml gives it', async () => {
    for (const [name, command] of [
      ['exporter', 'serve'],
      ['demo', 'demo'],
    ] as const) {
      const { out } = await run([command, '--help'])
      const flags = (serviceOf(name).command ?? []).flatMap((word) => /^--[^=]+/.exec(word) ?? [])
      expect(flags.length).toBeGreaterThan(0)
      for (const flag of flags) expect(out).toContain(`  ${flag}=`)
    }
  })
})

// https://grafana.com/docs/grafana/latest/administration/provisioning/
describe('what Grafana is given', () => {
  const target = (to: string): string | undefined =>
    mountsOf(serviceOf('grafana')).find((mount) => mount.to === to)?.from

  it('a data source like the one for Grafana by itself, at the address of the service', () => {
    interface Sources {
      readonly apiVersion: number
      readonly datasources: readonly {
        readonly url: string
        readonly jsonData: { readonly timeInterval: string }
      }[]
    }
    const ours = yaml('deploy/container/grafana-datasource.yml') as Sources
    const alone = yaml('grafana/provisioning/datasources/prometheus.yml') as Sources
    const [own] = ours.datasources
    expect(own?.url).toBe('http://prometheus:9090')
    expect({ ...ours, datasources: [{ ...own, url: alone.datasources[0]?.url }] }).toEqual(alone)
    expect(target('/etc/grafana/provisioning/datasources/winkms.yml')).toBe(
      join(FOLDER, 'grafana-datasource.yml'),
    )
    const { global } = yaml('deploy/container/prometheus.yml') as { global: { scrape_interval: string } }
    expect(own?.jsonData.timeInterval).toBe(global.scrape_interval)
  })

  it('the dashboards, where their provider looks for them, and the first of them as its home', () => {
    const provider = 'grafana/provisioning/dashboards/winkms.yml'
    const { providers } = yaml(provider) as {
      providers: readonly { readonly options: { readonly path: string } }[]
    }
    expect(target('/etc/grafana/provisioning/dashboards/winkms.yml')).toBe(join(ROOT, provider))
    const path = providers[0]?.options.path ?? ''
    const folder = target(path)
    expect(folder).toBe(join(ROOT, 'grafana/dashboards'))
    const home = serviceOf('grafana').environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? ''
    expect(home.startsWith(`${path}/`)).toBe(true)
    expect(existsSync(join(folder ?? '', home.slice(path.length)))).toBe(true)
  })

  it('its password as a file', () => {
    const { environment = {}, secrets = [] } = serviceOf('grafana')
    expect(secrets.map((name) => `/run/secrets/${name}`)).toEqual([
      environment['GF_SECURITY_ADMIN_PASSWORD__FILE'],
    ])
  })
})

it('yamllint finds nothing in any YAML of this folder', async (context) => {
  realServer(context, ['yamllint'])
  const rules = [
    'line-length: { max: 125 }',
    'document-start: disable',
    'braces: { max-spaces-inside: 1 }',
    'comments: { min-spaces-from-content: 1 }',
  ]
  const config = `{ extends: default, rules: { ${rules.join(', ')} } }`
  const lint = promisify(execFile)(program('yamllint'), ['--strict', '-d', config, FOLDER])
  expect((await lint).stdout).toBe('')
})
