import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // By themselves, with npm run test:long; and those on Windows' Node.js, where Wine and a node.exe are.
    exclude: [
      ...configDefaults.exclude,
      'test/**/*.long.test.ts',
      ...(process.env['WINKMS_WINDOWS_NODE'] === undefined ? ['test/wine/**'] : []),
    ],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    // Deadlines and real servers, on machines that others use too: a test that passes at the second try only is printed with
    // "(retry x1)", and is to be mended all the same.
    retry: process.env['CI'] === 'true' ? 1 : 0,
  },
})
