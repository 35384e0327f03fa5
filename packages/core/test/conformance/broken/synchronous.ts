import type { Item } from '../../../src/backend-kit/index.ts'
import type { MapBackend } from '../map-backend.ts'
import { mapHarness } from '../map-harness.ts'
import { SyncMapBackend } from '../sync-map-backend.ts'
import type { Broken } from './broken.ts'

type SyncFace = MapBackend['sync']

/** A broken backend made from the reference store that answers without waiting: only its `sync` is changed. */
function sync(rule: string, does: string, change: (face: SyncFace) => Partial<SyncFace>): Broken {
  const wrap = (backend: MapBackend): MapBackend => {
    const face = backend.sync
    const changed = change(face)
    const proxy = new Proxy(face, {
      get(target, member) {
        if (member in changed) return changed[member as keyof SyncFace]
        const found: unknown = Reflect.get(target, member)
        return typeof found === 'function' ? found.bind(target) : found
      },
    })
    return Object.defineProperty(backend, 'sync', { value: proxy })
  }
  return { rule, does, harness: () => mapHarness(wrap) }
}

export const brokenSync: readonly Broken[] = [
  sync('13.1', 'sets without comparing when it need not wait', (face) => ({
    compareAndSet(_key, _expected, next) {
      if (next) face.set(next)
      return true
    },
  })),
  sync('13.1', 'keeps data of its own when it need not wait', () => {
    const other = new SyncMapBackend()
    return { get: (key) => other.get(key), set: (item) => other.set(item), delete: (key) => other.delete(key) }
  }),
  sync('13.2', 'has no increment when it need not wait', () => ({ increment: undefined }) as never),
  sync('13.3', 'answers with a promise although it need not wait', (face) => ({
    get: (async (key: string) => face.get(key)) as never,
  })),
  sync('13.4', 'works on without waiting after close', () => {
    const other = new SyncMapBackend()
    return { get: (key) => other.get(key) }
  }),
]

export const brokenNear: readonly Broken[] = [
  {
    rule: '13.5',
    does: 'shows what was deleted to those who only ask near',
    harness() {
      const seen = new Map<string, Item>()
      return mapHarness((backend) => {
        return Object.assign(backend, {
          near: {
            get: (key: string) => {
              const found = backend.sync.get(key)
              if (found) seen.set(key, found)
              return seen.get(key)
            },
          },
        })
      })
    },
  },
  {
    rule: '13.6',
    does: 'says of its records that nothing has changed, whatever has',
    harness: () =>
      mapHarness((backend) =>
        Object.assign(backend, { near: { get: (key: string) => backend.sync.get(key), generation: () => 1 } }),
      ),
  },
]
