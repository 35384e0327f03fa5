// Not for import: a process of a run. Its argument is a `WorkerOrder` as JSON.
import { once } from 'node:events'
import { Recorder } from '../record/recorder.ts'
import { skewClock } from './skew-clock.ts'
import type { Period, WorkerOrder } from './worker-order.ts'

const order: WorkerOrder = JSON.parse(process.argv[2] ?? '')
// Before the packages are loaded, as on a machine whose clock is wrong.
skewClock(order.skew)
const { runClients } = await import('./run-clients.ts')
const recorder = new Recorder(order.process, order.log, BigInt(order.origin))
process.on('disconnect', () => process.exit(1))
const message = once(process, 'message')
process.send?.('ready')
const [period] = (await message) as [Period]
await runClients(order, period, recorder)
process.exit(0)
