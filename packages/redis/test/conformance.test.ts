import { conformance, throughTwoHandles } from '@cache/core/conformance'
import type {} from '@cache/workspace/redis-setup'
import { describe, inject, it } from 'vitest'
import { redisHarness } from './redis-harness.ts'

const url = inject('redisUrl')

conformance(redisHarness({ name: 'redis', url }), { describe, it })
conformance(throughTwoHandles(redisHarness({ name: 'redis', url })), { describe, it })
conformance(
  redisHarness({
    name: 'redis, compressed and encrypted',
    url,
    options: { compression: { algorithm: 'gzip' }, encryption: { keys: [Buffer.alloc(32, 7)] } },
  }),
  { describe, it },
)
