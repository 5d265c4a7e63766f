// The committed dashboards are those that the code makes.
import { describe, expect, it } from 'vitest'
import { dashboardFiles } from '../../scripts/dashboards.ts'
import { readText, UIDS } from './committed.ts'

const files = await dashboardFiles()

describe('grafana/dashboards', () => {
  it('has a file for each dashboard', () => {
    expect(Object.keys(files)).toEqual(UIDS.map((uid) => `grafana/dashboards/${uid}.json`))
  })

  it.each(UIDS)('%s.json agrees with the code: otherwise, npm run docs', (uid) => {
    expect(readText(uid)).toBe(files[`grafana/dashboards/${uid}.json`])
  })

  it('is the same at each run', async () => {
    expect(await dashboardFiles()).toEqual(files)
  })
})
