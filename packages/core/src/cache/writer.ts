import { invalidArgument } from '../protocol/argument.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Context } from './context.ts'
import type { WriterPort } from './scope.ts'

/** One value on its way to the application's database. */
export interface WriterEntry<Value = unknown> {
  readonly key: string
  readonly value: Value
}

/** The application's own database behind a cache. Rejecting means that nothing of the batch may be relied upon. */
export interface Writer<Value = unknown> {
  write(entries: readonly WriterEntry<Value>[]): Promise<void> | void
  delete(keys: readonly string[]): Promise<void> | void
}

/** How writes wait, in `writeMode: 'behind'`. */
export interface WriteBehindOptions {
  /** Writes in one batch. Default 100. */
  readonly batchSize?: number
  /** How long a write waits for others. Default `'100ms'`. */
  readonly delay?: Duration
}

interface WriterOptions {
  readonly writer?: Writer<never>
  readonly writeMode?: 'through' | 'behind'
  readonly writeBehind?: WriteBehindOptions
}

/** The writer of a cache as its operations see it, or `undefined` without one. */
export function openWriter(options: WriterOptions, _context: Context): WriterPort | undefined {
  const { writer } = options
  if (writer === undefined) {
    for (const name of ['writeMode', 'writeBehind'] as const) {
      if (options[name] !== undefined)
        throw invalidArgument(name, options[name], 'absent where there is no writer', 'new Cache')
    }
    return undefined
  }
  if (writer === null || typeof writer.write !== 'function' || typeof writer.delete !== 'function') {
    throw invalidArgument('writer', writer, 'an object with write(entries) and delete(keys)', 'new Cache')
  }
  return {
    put: (entries) => writer.write(entries as never),
    remove: (keys) => writer.delete(keys),
    close: async () => {},
  }
}
