import { conformance, throughPrefix, throughTwoHandles } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { asyncLayers, nestedLayers, nestedNear, syncLayers, threeLayers } from './harness.ts'

for (const harness of [syncLayers, asyncLayers, threeLayers, nestedLayers, nestedNear]) {
  conformance(harness, { describe, it })
  conformance(throughTwoHandles(harness), { describe, it })
}
conformance(throughPrefix(syncLayers), { describe, it })
