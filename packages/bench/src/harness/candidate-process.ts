/** What runs in the process of one candidate. Talks to `runSuite` by messages. */
import { suites } from '../suites.ts'
import { candidatesOf } from './parts.ts'
import type { Measurement, Suite } from './suite.ts'

export interface Order {
  readonly suite: string
  /** A module that exports `suite`, for tests of the harness; else the name is looked up in `suites`. */
  readonly module?: string
  readonly candidate: string
  readonly rows: readonly string[]
  readonly quick: boolean
  readonly args: readonly string[]
  readonly shared: unknown
}

export type Report =
  | { readonly row: string; readonly measurement: Measurement }
  | { readonly row: string; readonly failure: string }

async function suiteOf(order: Order): Promise<Suite> {
  if (order.module !== undefined) return ((await import(order.module)) as { suite: Suite }).suite
  const load = suites[order.suite]
  if (load === undefined) throw new Error(`no suite '${order.suite}'`)
  return (await load()).suite
}

function report(message: Report): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send?.(message, (error: Error | null) => (error === null ? resolve() : reject(error)))
  })
}

async function carryOut(order: Order): Promise<void> {
  const suite = await suiteOf(order)
  const candidate = candidatesOf(suite, order).find(({ name }) => name === order.candidate)
  if (candidate === undefined) throw new Error(`no candidate '${order.candidate}'`)
  for (const row of order.rows) {
    try {
      const measurement = await candidate.measure(row, { quick: order.quick, args: order.args, shared: order.shared })
      await report({ row, measurement })
    } catch (error) {
      await report({ row, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  }
}

process.once('message', (order: Order) => {
  carryOut(order).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
