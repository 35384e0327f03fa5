/** A job queue in the directory of a `FileBackend`, which all processes of the directory share. */
export { JobQueue } from './job-queue.ts'
export type { LeasedMessage, Message, PullOptions, PushOptions, QueueSide } from './message.ts'
