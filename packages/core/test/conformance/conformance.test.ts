import { describe, it } from 'vitest'
import { conformance, throughPrefix, throughSync, throughTwoHandles } from '../../src/conformance/index.ts'
import { bytesHarness, realTimeHarness } from './bytes-harness.ts'
import { mapHarness } from './map-harness.ts'

conformance(mapHarness(), { describe, it })
conformance(throughTwoHandles(mapHarness()), { describe, it })
conformance(throughPrefix(mapHarness()), { describe, it })
conformance(throughSync(mapHarness()), { describe, it })
conformance(bytesHarness(), { describe, it })
conformance(realTimeHarness(), { describe, it })
conformance(throughTwoHandles(bytesHarness()), { describe, it })
conformance(throughPrefix(bytesHarness()), { describe, it })
