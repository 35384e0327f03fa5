/** Values of a `FileBackend` that are written and read as streams, and are never in memory as a whole. */
export type { ByteSource } from '../values/byte-source.ts'
export { getStream } from './get-stream.ts'
export { type StreamedItem, setStream } from './set-stream.ts'
