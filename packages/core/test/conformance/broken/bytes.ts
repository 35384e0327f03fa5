import type { BytesBackend, BytesBackendOptions } from '../bytes-backend.ts'
import { bytesHarness, realTimeHarness } from '../bytes-harness.ts'
import type { Broken } from './broken.ts'

/** A broken backend made from the reference backend of bytes. */
export function bytes(rule: string, does: string, Kind: new (options: BytesBackendOptions) => BytesBackend): Broken {
  return { rule, does, harness: () => bytesHarness(Kind), realTime: () => realTimeHarness(Kind) }
}
