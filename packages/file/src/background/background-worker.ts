/** The thread in which an index is checkpointed, inspected and salvaged, so that the event loop is not held up. */
import { parentPort } from 'node:worker_threads'
import { doIndexTask, type IndexTask } from './index-tasks.ts'

parentPort?.on('message', async ({ id, task }: { id: number; task: IndexTask }) => {
  try {
    parentPort?.postMessage({ id, result: await doIndexTask(task) })
  } catch (error) {
    const { message, errcode, code } = error as Error & { errcode?: number; code?: string }
    parentPort?.postMessage({ id, failure: { message, errcode, code } })
  }
})
