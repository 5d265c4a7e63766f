// The last hours on the page of a host: what the plots show stands beside them in words and numbers.
import { describe, expect, it } from 'vitest'
import type { Trail } from '../../src/engine/history.ts'
import type { Site } from '../../src/views/html-frame.ts'
import { hostPage } from '../../src/views/html-host.ts'
import { checkPage, rowWith, textOf } from './html-check.ts'
import { AT, HEALTHY, view } from './scenes.ts'

const SITE: Site = { prefix: '/kms', telemetryPath: '/metrics', version: '1.2.3' }

describe('the last hours', () => {
  const series = (...values: readonly (number | undefined)[]) =>
    Float32Array.from(values, (value) => value ?? NaN)
  const none = series(undefined, undefined, undefined, undefined)

  function pageWith(
    values: Partial<Trail['values']>,
    serving: Trail['serving'] = [true, undefined, false, true],
  ): string {
    const empty = {
      connectSeconds: none,
      bindSeconds: none,
      driftSeconds: none,
      driftUncertaintySeconds: none,
      clients: none,
      requiredClients: none,
    }
    const trail = (): Trail => ({
      fromSeconds: AT - 240,
      stepSeconds: 60,
      serving,
      values: { ...empty, ...values },
    })
    const page = hostPage({ ...view(HEALTHY), trail }, AT, SITE)
    checkPage(page)
    return page
  }

  const plot = (page: string, id: string): string => {
    const [, html = ''] = new RegExp(`<figure id="plot-${id}"(.*?)</figure>`, 's').exec(page) ?? []
    expect(html).not.toBe('')
    return html
  }

  it('say in words when it served, with what nobody knows apart', () => {
    const html = plot(pageWith({}), 'serving')
    expect(textOf(html)).toContain('served 2 min did not serve 1 min cannot tell 1 min')
    expect([...html.matchAll(/<rect class="(\w+)"/g)].map(([, kind]) => kind)).toEqual([
      'good',
      'unknown',
      'bad',
      'good',
    ])
  })

  it('have numbers beside each line, and a gap where nothing is known', () => {
    const page = pageWith({ connectSeconds: series(0.001, undefined, 0.002, 0.004), bindSeconds: none })
    const html = plot(page, 'latency')
    expect(rowWith(html, 'connect')).toBe('connect 4.0 ms 1.0 ms 2.0 ms 4.0 ms 1 min')
    expect(rowWith(html, 'bind')).toBe('bind not known 4 min')
    expect(/<path class="line one" d="([^"]*)"/.exec(html)?.[1]?.match(/M/g)).toHaveLength(2)
    expect(html).not.toContain('line two"')
  })

  it('have no number for now when now is not known', () => {
    const html = plot(pageWith({ connectSeconds: series(0.001, 0.001, 0.001, undefined) }), 'latency')
    expect(rowWith(html, 'connect')).toContain('connect not known 1.0 ms')
  })

  it('have no plot of what was never known', () => {
    const page = pageWith({ connectSeconds: series(0, 0, 0, 0) })
    for (const id of ['drift', 'count']) expect(page).not.toContain(`plot-${id}`)
  })

  it('have the drift with its band, and the levels where they are near', () => {
    const driftUncertaintySeconds = series(0.01, 0.01, undefined, 0.02)
    const near = plot(
      pageWith({ driftSeconds: series(0.001, 0.002, undefined, 0.003), driftUncertaintySeconds }),
      'drift',
    )
    expect(/<path class="band" d="([^"]*)"/.exec(near)?.[1]?.match(/M/g)).toHaveLength(2)
    // How wide it is, is no line of its own.
    expect(near).not.toContain('class="line band"')
    expect(near).not.toMatch(/level (?:warning|critical)/)
    expect(textOf(near)).toContain('Warning from 1 h 0 min, refused by KMS beyond 4 h 0 min')
    const far = plot(
      pageWith({ driftSeconds: series(3_000, 3_500, undefined, 3_700), driftUncertaintySeconds }),
      'drift',
    )
    expect(far).toContain('class="level warning"')
    expect(far).not.toContain('class="level critical"')
    const worst = plot(
      pageWith({
        driftSeconds: series(-15_000, -15_000, -15_000, -15_000),
        driftUncertaintySeconds: series(1, 1, 1, 1),
      }),
      'drift',
    )
    expect(worst).toContain('class="level critical"')
  })

  it('have the count against what it takes', () => {
    const html = plot(
      pageWith({ clients: series(28, 28, 26, 24), requiredClients: series(25, 25, 25, 25) }),
      'count',
    )
    expect(rowWith(html, 'count')).toBe('count 24 24 27 28 none')
    expect(rowWith(html, 'required')).toBe('required 25 25 25 25 none')
    expect(textOf(html)).toContain('Warning below 30')
    const few = plot(pageWith({ clients: series(3, 3, 3, 3), requiredClients: series(5, 5, 5, 5) }), 'count')
    expect(textOf(few)).toContain('Warning below 7')
  })

  it('are nothing yet of a host that was never noted', () => {
    expect(hostPage(view(HEALTHY), AT, SITE)).toContain('Nothing was noted yet.')
  })
})
