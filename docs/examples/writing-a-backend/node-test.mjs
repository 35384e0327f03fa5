// #region node-test
import { describe, it } from 'node:test'
import { conformance } from '@cache/core/conformance'
import { mapHarness } from './map-harness.ts'

conformance(mapHarness(), { describe, it })
// #endregion node-test
