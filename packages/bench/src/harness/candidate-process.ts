// The program of one candidate's process. `runCandidate` starts it and exchanges messages with it.
import { suites } from '../suites.ts'
import type { Order, Report } from './candidate-messages.ts'
import { candidatesOf } from './parts.ts'
import type { Suite } from './suite.ts'

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
