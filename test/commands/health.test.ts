// `health`, by the built command: what it says of a real exporter, with and without TLS, and of what is none.
import { createServer } from 'node:http'
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { build, freeNetwork, run, start, until } from '../e2e/built.ts'
import { folderOf, NOTHING, serve, SOON_SECONDS } from '../life/exporter.ts'
import { makeCertificate } from '../real/servers/certificate.ts'
import { realServer } from '../real/servers/need.ts'
import { freePort } from '../real/servers/ports.ts'

beforeAll(build)

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

it('is 0 for an exporter that is well, and 1 when it hangs or is gone', async () => {
  const exporter = await serve(NOTHING)
  const flag = `--url=${exporter.url}/-/healthy`
  expect(await run(['health', flag])).toEqual({ ending: 0, out: 'Healthy\n', err: '' })
  exporter.signal('SIGSTOP')
  const hanging = await run(['health', flag])
  expect(hanging.ending).toBe(1)
  expect(hanging.err).toBe(`${exporter.url}/-/healthy: no answer within 4 seconds\n`)
  exporter.signal('SIGCONT')
  expect((await run(['health', flag])).ending).toBe(0)
  await exporter.stop()
  expect((await run(['health', flag])).err).toContain('ECONNREFUSED')
})

it('is 1 for any status but 200, and shows what was said without what steers terminals', async () => {
  const port = await listening(
    createServer((_request, response) => {
      response.statusCode = 503
      response.end('stands \u001b[31mstill')
    }),
  )
  const { ending, out } = await run(['health', `--url=http://127.0.0.1:${port}/-/healthy`])
  expect([ending, out]).toEqual([1, 'stands \ufffd[31mstill\n'])
})

it('is 1 for what does not speak HTTP', async () => {
  const garbage = await listening(createTcp((socket) => void socket.on('error', () => {}).end('no\r\n\r\n')))
  const { ending, err } = await run(['health', `--url=http://127.0.0.1:${garbage}/`])
  expect([ending, err]).toEqual([1, expect.stringMatching(/^http:\S+: \w/)])
})

it('reads the beginning of an answer that does not end, and is done', async () => {
  const endless = await listening(
    createServer((_request, response) => {
      response.on('error', () => {})
      const timer = setInterval(() => response.write('x'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(timer))
    }),
  )
  const { ending, out } = await run(['health', `--url=http://127.0.0.1:${endless}/`])
  expect([ending, out]).toEqual([0, `${'x'.repeat(1000)}\n`])
})

it('speaks TLS: on loopback any certificate will do, elsewhere it has to be the right one', async (context) => {
  realServer(context, ['openssl'])
  const { certificateFile, keyFile } = await makeCertificate(await folderOf(), {
    names: ['DNS:other.example'],
  })
  const webConfig = join(await folderOf(), 'web.yml')
  await writeFile(webConfig, `tls_server_config: { cert_file: ${certificateFile}, key_file: ${keyFile} }\n`)
  const port = await freePort()
  const exporter = start([
    'demo',
    `--demo.network=${await freeNetwork()}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--web.config.file=${webConfig}`,
  ])
  onTestFinished(() => exporter.stop())
  await until(SOON_SECONDS, 'it listens', () => (exporter.out().includes('is running') ? true : undefined))
  const there = `https://127.0.0.1:${port}/-/healthy`
  expect(await run(['health', `--url=${there}`])).toEqual({ ending: 0, out: 'Healthy\n', err: '' })
  // The same machine, by an address that does not look like it.
  const elsewhere = await run(['health', `--url=${there.replace('127.0.0.1', '[::ffff:127.0.0.1]')}`])
  expect([elsewhere.ending, elsewhere.out]).toEqual([1, ''])
  expect(elsewhere.err).toContain('certificate')
  expect((await run(['health', `--url=${there.replace('https', 'http')}`])).ending).toBe(1)
})

it('takes a URL and nothing else', async () => {
  for (const argv of [
    ['health', 'now'],
    ['health', '--url=11688'],
    ['health', '--url=ftp://127.0.0.1/'],
  ])
    expect((await run(argv)).ending, argv.join(' ')).toBe(64)
})
