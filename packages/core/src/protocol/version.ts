import { builtinModule } from './builtin-module.ts'

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Ten base64url characters, 60 random bits: two processes practically never draw the same. */
let processPart: string | undefined
let counter = 0

/**
 * A new version: opaque printable ASCII, unique among all processes. It consists of a random part, drawn once for each process,
 * and a counter: random bytes for every write would cost a microsecond each.
 */
export function createVersion(): string {
  processPart ??= drawProcessPart()
  counter += 1
  return processPart + counter.toString(36)
}

/** Runs at the first version, not on import: edge runtimes forbid random numbers until then, and a snapshot may be taken. */
function drawProcessPart(): string {
  forgetAfterSnapshot()
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(10))
  return Array.from(bytes, (byte) => alphabet[byte & 63]).join('')
}

/** Processes that start from one snapshot of Node must draw their own random part. */
function forgetAfterSnapshot(): void {
  const snapshot = builtinModule('v8')?.startupSnapshot
  // Node returns a number here.
  if (snapshot === undefined || !snapshot.isBuildingSnapshot()) return
  snapshot.addDeserializeCallback(() => {
    processPart = undefined
  })
}
