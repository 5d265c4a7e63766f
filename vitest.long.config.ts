import { defineConfig } from 'vitest/config'

/** What takes hours, one at a time and by itself: another test beside it would be measured too. */
export default defineConfig({ test: { include: ['test/**/*.long.test.ts'], maxWorkers: 1 } })
