import { defineConfig } from 'vitest/config'

// Starting real servers takes seconds on a machine that is busy with other packages' tests. The projects have test
// files of their own, which run in copies with the packed packages installed.
export default defineConfig({ test: { include: ['test/**/*.test.ts'], testTimeout: 60_000 } })
