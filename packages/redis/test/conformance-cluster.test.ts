import { conformance } from '@cache/core/conformance'
import { startRedisCluster } from '@cache/workspace'
import { afterAll, describe, it } from 'vitest'
import { clusterHarness } from './cluster-harness.ts'

const cluster = await startRedisCluster({ masters: 3 })
afterAll(() => cluster.stop())

conformance(clusterHarness({ name: 'redis cluster', cluster }), { describe, it })
