// #region test
import { conformance, throughPrefix, throughTwoHandles } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { mapHarness } from './map-harness.ts'

conformance(mapHarness(), { describe, it })
conformance(throughTwoHandles(mapHarness()), { describe, it })
conformance(throughPrefix(mapHarness()), { describe, it })
// #endregion test
