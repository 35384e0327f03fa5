// A process of its own for processes.test.ts: runs one pipeline on a store that it shares with other processes.
import { Cache } from '@cache/core'
import { FileBackend } from '@cache/file'
import { RedisBackend } from '@cache/redis'
import { pipeline } from '../../src/index.ts'

/** What the parent tells the process to run. */
export interface Order {
  readonly store: 'file' | 'redis'
  /** The directory, or the URL of the server. */
  readonly place: string
  readonly prefix: string
  /** The version of the code of every node. */
  readonly version: string
  /** The number of items. */
  readonly items: number
  /** Whether functions wait for the message `go` after they have begun. */
  readonly waits: boolean
}

/** What the process tells its parent. */
export type Report =
  | { readonly kind: 'missed' }
  | { readonly kind: 'begun'; readonly name: string }
  | { readonly kind: 'result'; readonly value: string; readonly computed: readonly string[] }
  | { readonly kind: 'failed'; readonly error: string }

const order = JSON.parse(process.argv[2] ?? '') as Order
const computed: string[] = []
let go = (): void => {}
const gone = new Promise<void>((resolve) => {
  go = resolve
})
process.on('message', (message) => {
  if (message === 'go') go()
})

// A parent that has ended wants no result.
process.on('disconnect', () => process.exit())

function tell(report: Report): void {
  process.send?.(report)
}

async function work<T>(name: string, value: T): Promise<T> {
  computed.push(name)
  tell({ kind: 'begun', name })
  if (order.waits) await gone
  return value
}

async function run(): Promise<void> {
  const { store, place, prefix, version, items } = order
  const backend = store === 'file' ? new FileBackend({ dir: place }) : new RedisBackend({ url: place, prefix })
  const cache = new Cache({ backend })
  cache.on('miss', () => tell({ kind: 'missed' }))
  // Items one by one, so that the parent knows which of them are stored.
  const p = pipeline({ name: 'p', cache, concurrency: 1 })
  const list = p.node('list', { version: `${version} ${items}` }, async () =>
    Array.from({ length: items }, (_, index) => index),
  )
  const each = p.map('each', { version, over: list }, (n) => work(`item ${n}`, `${version}${n}`))
  const sum = p.node('sum', { version, deps: { each } }, ({ each }) => work('sum', each.join()))
  const { value } = await p.run(sum)
  tell({ kind: 'result', value, computed })
  await cache.close()
}

run()
  .catch((error: unknown) => tell({ kind: 'failed', error: String(error) }))
  .finally(() => process.disconnect?.())
