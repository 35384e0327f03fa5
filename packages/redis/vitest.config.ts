import { defineConfig } from 'vitest/config'

export default defineConfig({ test: { globalSetup: '@cache/testing/redis-setup' } })
