// Records of bytes of any length, by number, without gaps: in pages of 64, in which one that grows moves those behind it.

export interface Records {
  /** The number of a new record, or of one that was dropped. */
  take(): number
  /** Makes a record so long; what is in it is then the caller's to write. */
  resize(record: number, length: number): void
  drop(record: number): void
  page(record: number): Page
}

export interface Page {
  bytes: Buffer
  /** The same bytes. */
  view: DataView
  /** Where each record begins; the last entry is where the last one ends. */
  readonly starts: Int32Array
}

export const RECORDS_A_PAGE = 64
/** So many bytes behind the last record may be read, for those who copy by fours. */
export const SLACK_BYTES = 3

const NOTHING = Buffer.alloc(0)

export function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

function resizeIn(page: Page, slot: number, wanted: number): void {
  const { starts } = page
  const start = starts[slot] ?? 0
  const behind = starts[slot + 1] ?? 0
  const delta = wanted - (behind - start)
  if (delta === 0) return
  const used = starts[RECORDS_A_PAGE] ?? 0
  const needed = used + delta + SLACK_BYTES
  if (needed > page.bytes.length) {
    // Room for what is likely to come, but little: there are many pages.
    const grown = Buffer.allocUnsafeSlow(used === 0 ? needed : needed * 1.125)
    page.bytes.copy(grown, 0, 0, start)
    page.bytes.copy(grown, behind + delta, behind, used)
    page.bytes = grown
    page.view = viewOf(grown)
  } else page.bytes.copyWithin(behind + delta, behind, used)
  for (let each = slot + 1; each <= RECORDS_A_PAGE; each += 1) starts[each] = (starts[each] ?? 0) + delta
  if (used + delta > 0) return
  page.bytes = NOTHING
  page.view = viewOf(NOTHING)
}

export function createRecords(): Records {
  const pages: Page[] = []
  const free: number[] = []
  let count = 0

  function page(record: number): Page {
    const one = pages[Math.floor(record / RECORDS_A_PAGE)]
    if (one === undefined) throw new RangeError(`there is no record ${record}`)
    return one
  }

  function resize(record: number, length: number): void {
    resizeIn(page(record), record % RECORDS_A_PAGE, length)
  }

  return {
    take() {
      const known = free.pop()
      if (known !== undefined) return known
      if (count % RECORDS_A_PAGE === 0)
        pages.push({ bytes: NOTHING, view: viewOf(NOTHING), starts: new Int32Array(RECORDS_A_PAGE + 1) })
      return count++
    },
    resize,
    drop(record) {
      resize(record, 0)
      free.push(record)
    },
    page,
  }
}
