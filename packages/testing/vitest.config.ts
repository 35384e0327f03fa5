import { defineConfig } from 'vitest/config'

// Starting real servers takes seconds on a machine that is busy with other packages' tests.
export default defineConfig({ test: { testTimeout: 60_000 } })
