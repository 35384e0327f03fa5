import { conformance, throughPrefix, throughTwoHandles } from '@cache/core/conformance'
import { describe, it } from 'vitest'
import { fileHarness } from './file-harness.ts'

conformance(fileHarness('file'), { describe, it })
conformance(throughPrefix(fileHarness('file')), { describe, it })
conformance(throughTwoHandles(fileHarness('file')), { describe, it })
