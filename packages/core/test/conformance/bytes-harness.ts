import { type Clock, systemClock } from '../../src/backend-kit/index.ts'
import { createMovableClock, type Harness, type MovableClock } from '../../src/conformance/index.ts'
import { ByteStore } from './byte-store.ts'
import { BytesBackend, type BytesBackendOptions } from './bytes-backend.ts'

type Backend = new (options: BytesBackendOptions) => BytesBackend

/** The same by the machine's clock, as a store has it that judges lifetimes by a clock of its own. */
export function realTimeHarness(Kind: Backend = BytesBackend): Harness {
  const { clock: _, ...rest } = bytesHarness(Kind, systemClock)
  return { ...rest, name: 'bytes in real time', patience: 2000 }
}

/** A harness that lacks nothing, over the reference backend of bytes or one that was made from it. */
export function bytesHarness(
  Kind: Backend = BytesBackend,
  clock: Clock = createMovableClock(),
): Required<Omit<Harness, 'dispose' | 'beginTransaction'>> {
  let store = new ByteStore()
  const open = (rest: Partial<BytesBackendOptions> = {}): BytesBackend => new Kind({ store, clock, ...rest })
  const openEmpty = (rest: Partial<BytesBackendOptions> = {}): BytesBackend => {
    store = new ByteStore()
    return open(rest)
  }
  return {
    name: 'bytes',
    values: 'copies',
    keeps: ['NaN', 'date', 'map', 'set', 'bytes', 'bigint', 'undefined member', 'lone surrogate'],
    without: { beginTransaction: 'a store of its own is in no transaction' },
    seed: 14,
    failureBound: 500,
    patience: 500,
    clock: clock as MovableClock,
    open: () => openEmpty(),
    openSecond: () => open(),
    // The names of the prefixes are own, own2 and other. The colon keeps them apart.
    openOther: (relation) => open({ prefix: relation === 'longer' ? 'own2:' : 'other:' }),
    async openMany(count) {
      store = new ByteStore()
      return Promise.all(Array.from({ length: count }, async () => open()))
    },
    openLimited: (maxEntries) => openEmpty({ maxEntries }),
    openInjected() {
      const backend = openEmpty()
      const { store: client } = backend.options
      return {
        backend,
        works: () => client.request('works', () => undefined),
        end: () => {
          client.down = true
        },
      }
    },
    reopen: () => open(),
    corrupt(key, damage) {
      const stored = store.entries.get(`own:${key}`) ?? new Uint8Array()
      const half = stored.subarray(0, stored.length >> 1)
      const bytes = { garbage: new Uint8Array([7, 7, 7, 7, 7, 7, 7, 7]), truncated: half, empty: new Uint8Array() }
      store.entries.set(`own:${key}`, bytes[damage])
    },
    futureFormat(key) {
      const stored = Uint8Array.from(store.entries.get(`own:${key}`) ?? [])
      stored[0] = 2
      store.entries.set(`own:${key}`, stored)
    },
    break() {
      store.down = true
    },
    heal() {
      store.down = false
    },
    freeze() {
      store.frozen = true
    },
    thaw() {
      store.frozen = false
    },
  }
}
