// SIGTERM, SIGINT and SIGHUP at every moment of the exporter's life: it always ends, in time, and tells no lies meanwhile.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { build, until } from '../e2e/built.ts'
import {
  begin,
  hostsAt,
  NOTHING,
  ready,
  secondsSince,
  serve,
  silentPeer,
  SOON_SECONDS,
  type Exporter,
} from './exporter.ts'

/** From the signal to the end, on a machine that is busy: 10 s are the exporter's own, 30 those of Kubernetes. */
const STOP_SECONDS = 20
const SIGHUP = 1

beforeAll(build)

async function stopped(exporter: Exporter, signal: NodeJS.Signals = 'SIGTERM'): Promise<string> {
  const begin = performance.now()
  exporter.signal(signal)
  const { ending, err } = await exporter.ended(STOP_SECONDS)
  expect(secondsSince(begin)).toBeLessThan(STOP_SECONDS)
  expect(err).toMatch(/msg=stopping\n[^]*msg=stopped\n$/)
  expect(ending).toBe(0)
  return err
}

/** All that it says, once it has closed. */
async function dial(exporter: Exporter, text: string): Promise<{ socket: Socket; said: Promise<string> }> {
  const socket = connect(Number(new URL(exporter.url).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let all = ''
  socket.on('data', (bytes: Buffer) => (all += bytes.toString('latin1'))).on('error', () => {})
  const said = new Promise<string>((resolve) => socket.on('close', () => resolve(all)))
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(text)
  return { socket, said }
}

/** By the kernel's word. Of SIGINT and SIGTERM this says nothing: Node.js has handlers of its own for them. */
function isCaught(pid: number, signal: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n
}

describe('an exporter that is told to end', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('by %s with nothing to do ends at once', async (signal) => {
    await stopped(await serve(NOTHING), signal)
  })

  it('with hosts that are silent calls off what would last for a minute, and says nothing about them', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 50))
    await until(SOON_SECONDS, 'all are being asked', () => (peer.connections() >= 50 ? true : undefined))
    const err = await stopped(exporter)
    expect(err).not.toMatch(/probe=port .*msg="no answer"/)
    await until(SOON_SECONDS, 'nothing is left', () => (peer.connections() === 0 ? true : undefined))
  })

  it('while /probe asks a silent host cuts the connection rather than call the host down', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 1))
    const { said } = await dial(
      exporter,
      'GET /probe?target=kms0.corp.example&probe=port HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    await until(SOON_SECONDS, 'both ask', () => (peer.connections() >= 2 ? true : undefined))
    await stopped(exporter)
    expect(await said).toBe('')
  })

  it('while somebody reads slowly, asks half a question, or says nothing at all', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 2_000))
    const slow = await dial(exporter, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    slow.socket.pause()
    await dial(exporter, 'GET /metrics HT')
    await dial(exporter, '')
    await stopped(exporter)
  })

  it('answers who has asked already, whole, and nobody else', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 2_000))
    const asked = await dial(exporter, 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n')
    // It has been read by the exporter when it begins to answer; the rest has to wait for us to read it.
    await new Promise((resolve) => asked.socket.once('readable', resolve))
    asked.socket.pause()
    exporter.signal('SIGTERM')
    await until(SOON_SECONDS, 'it stops', () => exporter.err().includes('msg=stopping') || undefined)
    await expect(fetch(`${exporter.url}/-/ready`)).rejects.toThrow()
    asked.socket.resume()
    expect(await asked.said).toMatch(/winkms_exporter_build_info[^]*\r\n0\r\n\r\n$/)
    expect((await exporter.ended(STOP_SECONDS)).ending).toBe(0)
  })

  it('while it reloads, in a storm of reloads', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 2_000))
    for (let time = 0; time < 20; time += 1) exporter.signal('SIGHUP')
    await stopped(exporter)
  })

  it('twice ends at once, and not well', async () => {
    const peer = await silentPeer()
    const exporter = await serve(hostsAt(peer.port, 1))
    await until(SOON_SECONDS, 'it is being asked', () => (peer.connections() >= 1 ? true : undefined))
    exporter.signal('SIGTERM')
    await until(SOON_SECONDS, 'it stops', () => exporter.err().includes('msg=stopping') || undefined)
    exporter.signal('SIGINT')
    const { ending, err } = await exporter.ended(STOP_SECONDS)
    expect(ending).toBe(128 + 2)
    expect(err).not.toContain('msg=stopped')
  })
})

describe('a signal that comes before the exporter is ready', () => {
  const MANY = hostsAt(1, 2_000)

  it.skipIf(process.platform !== 'linux')('SIGHUP does not end it, and the file is read again', async () => {
    const exporter = await begin(MANY)
    await until(SOON_SECONDS, 'it takes signals', () => isCaught(exporter.pid, SIGHUP) || undefined)
    expect(exporter.err()).toBe('')
    await writeFile(exporter.configFile, NOTHING)
    exporter.signal('SIGHUP')
    await ready(exporter)
    await until(SOON_SECONDS, 'it reloads', () => exporter.err().includes('was reloaded') || undefined)
    expect(exporter.err()).toMatch(/hosts=0 added=0 removed=\d+ msg="the configuration was reloaded"/)
    await stopped(exporter)
  })

  it.skipIf(process.platform !== 'linux')('SIGTERM ends it in good order', async () => {
    const exporter = await begin(MANY)
    await until(SOON_SECONDS, 'it takes signals', () => isCaught(exporter.pid, SIGHUP) || undefined)
    expect(exporter.err()).toBe('')
    await stopped(exporter)
  })
})
