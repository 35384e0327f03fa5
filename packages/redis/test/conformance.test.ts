import { conformance } from '@cache/core/conformance'
import type {} from '@cache/testing/redis-setup'
import { describe, inject, it } from 'vitest'
import { redisHarness } from './redis-harness.ts'

conformance(redisHarness({ name: 'redis', url: inject('redisUrl') }), { describe, it })
