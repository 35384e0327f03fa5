import { describe, it } from 'vitest'
import { conformance } from '../../src/conformance/index.ts'
import { mapHarness } from './map-harness.ts'

conformance(mapHarness(), { describe, it })
