// #region smallest-test
import { conformance, createMovableClock } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { SmallestMapBackend } from './smallest-map-backend.ts'

const clock = createMovableClock()

conformance(
  { name: 'the smallest map', values: 'references', clock, open: () => new SmallestMapBackend({ clock }) },
  { describe, it },
)
// #endregion smallest-test
