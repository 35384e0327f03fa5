/** The thread that runs checkpoints, inspections and salvages of an index, so that they do not block the event loop. */
import { parentPort } from 'node:worker_threads'
import type { IndexTask } from './index-task.ts'
import { runIndexTask } from './run-index-task.ts'

parentPort?.on('message', async ({ id, task }: { id: number; task: IndexTask }) => {
  try {
    parentPort?.postMessage({ id, result: await runIndexTask(task) })
  } catch (error) {
    const { message, errcode, code } = error as Error & { errcode?: number; code?: string }
    parentPort?.postMessage({ id, failure: { message, errcode, code } })
  }
})
