import { conformance } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { fileHarness } from './file-harness.ts'

conformance(fileHarness('file, every value in a file of its own', { largeValueBytes: 0 }), { describe, it })
