import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: ['@cache/workspace/redis-setup'],
    // Real servers are started and killed: two files at once are enough for a machine with two cores.
    maxWorkers: 2,
  },
})
