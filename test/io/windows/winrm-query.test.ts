import { describe, expect, it } from 'vitest'
import { enumerate, type Question, type Say } from '../../../src/io/windows/winrm-query.ts'
import type { CimRow } from '../../../src/protocol/cim.ts'
import { reasonOf } from '../support.ts'
import { answerTo, enumerated, fragment, pulled } from './hostile-winrm.ts'

const MOMENT = { wallSeconds: 1, monotonicSeconds: 1 }

/** A peer in a function: says the n-th page (0 for the first), of `length` characters. */
function paging(
  page: (n: number) => string,
  length = 1_000,
): { say: Say; released: string[]; letGo: () => Promise<void> } {
  let n = 0
  const released: string[] = []
  const say = async <T>({ decode }: Question<T>) => ({
    value: decode(answerTo('uuid:A', page(n++)), 'uuid:A'),
    length,
    sent: { ...MOMENT, monotonicSeconds: n },
    received: { ...MOMENT, monotonicSeconds: n + 0.5 },
    mask: String,
  })
  return { say, released, letGo: async () => void released.push('let go') }
}

const ROW = fragment('<A>1</A>')

function endless(items: string): (n: number) => string {
  return (n) => (n === 0 ? enumerated(items, 'c') : pulled(items, 'c'))
}

describe('an enumeration', () => {
  it('ends after two thousand answers', async () => {
    const peer = paging(endless(ROW))
    expect(await reasonOf(enumerate('SELECT A FROM B', {}, 'here', peer))).toBe('too_large')
  })

  it('ends after 16 MiB', async () => {
    let pages = 0
    const peer = paging((n) => (pages++, endless(ROW)(n)), 1 << 20)
    expect(await reasonOf(enumerate('SELECT A FROM B', {}, 'here', peer))).toBe('too_large')
    expect(pages).toBe(17)
  })

  it('forgives a few pages without a row, and names the moments of the one that had the first', async () => {
    const pages = [enumerated('', 'c'), pulled('', 'c'), pulled(ROW, 'c'), pulled('', 'c'), pulled(ROW)]
    const { rows, sent, received, roundTrips } = await enumerate(
      'SELECT A FROM B',
      {},
      'here',
      paging((n) => pages[n] ?? ''),
    )
    expect(rows.map((row: CimRow) => row.get('a'))).toEqual(['1', '1'])
    expect([sent.monotonicSeconds, received.monotonicSeconds, roundTrips]).toEqual([3, 3.5, 5])
  })

  it('of no rows at all names the moments of its last answer', async () => {
    const { sent } = await enumerate(
      'SELECT A FROM B',
      {},
      'here',
      paging((n) => (n === 0 ? enumerated('', 'c') : pulled(''))),
    )
    expect(sent.monotonicSeconds).toBe(2)
  })

  it('that is over when it has enough rows is not let go of', async () => {
    const peer = paging(() => enumerated(ROW + ROW + ROW))
    const { rows, complete } = await enumerate('SELECT A FROM B', { mostRows: 2 }, 'here', peer)
    expect([rows.length, complete, peer.released]).toEqual([2, false, []])
  })

  it('asks for as many rows in each question, for Windows minds other parameters of a Pull', async () => {
    const asked: string[] = []
    const pages = [enumerated(ROW, 'c'), pulled(ROW, 'c'), pulled(ROW + ROW)]
    const peer = paging((n) => pages[n] ?? '')
    const say = <T>(question: Question<T>) => {
      const text = question.encode({ to: 'x', messageId: 'uuid:A', maxEnvelopeBytes: 1, timeoutSeconds: 1 })
      asked.push(/MaxElements>(\d+)</.exec(text)?.[1] ?? 'none')
      return peer.say(question)
    }
    const { rows } = await enumerate('SELECT A FROM B', { mostRows: 5 }, 'here', { ...peer, say })
    expect(rows).toHaveLength(4)
    expect(asked).toEqual(['6', '6', '6'])
  })
})
