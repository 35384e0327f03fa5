import { invalidArgument } from '../../protocol/argument.ts'
import type { Context } from '../state/cache-state.ts'
import type { WriterPort } from '../items/namespace.ts'
import { WriteBehind, type WriteBehindOptions } from './write-behind.ts'

/** One value on its way to the application's database. */
export interface WriterEntry<Value = unknown> {
  /**
   * The key, if it belongs to the cache itself; one that begins with `@` gets a second one. The key `42` of the namespace `users`
   * within the cache is `@/users/:42`, so that no two keys are ever the same.
   */
  readonly key: string
  readonly value: Value
}

/**
 * The application's own database behind a cache. Rejecting means that the whole batch may have to be written again. Calls have time
 * limits of their own: one that never ends holds up the writes behind it, and `close`.
 */
export interface Writer<Value = unknown> {
  write(entries: readonly WriterEntry<Value>[]): Promise<void> | void
  delete(keys: readonly string[]): Promise<void> | void
}

interface WriterOptions {
  readonly writer?: Writer<never>
  readonly writeMode?: 'through' | 'behind'
  readonly writeBehind?: WriteBehindOptions
}

/**
 * The writer of a cache as its operations see it, or `undefined` without one. `onRecovered` is told the keys of writes that an
 * earlier process left. Throws `INVALID_ARGUMENT`.
 */
export function openWriter(
  options: WriterOptions,
  context: Context,
  onRecovered: (keys: readonly string[]) => Promise<void>,
): WriterPort | undefined {
  const { writer, writeMode = 'through', writeBehind } = options
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
  if (writeMode !== 'through' && writeMode !== 'behind')
    throw invalidArgument('writeMode', writeMode, "'through' or 'behind'", 'new Cache')
  if (writeBehind?.journal !== undefined && writeBehind.journal === context.backend)
    throw invalidArgument(
      'writeBehind.journal',
      writeBehind.journal,
      "another backend than the cache's, which clear() empties",
      'new Cache',
    )
  if (writeMode === 'behind')
    return new WriteBehind(writer as Writer, writeBehind === undefined ? {} : writeBehind, context, onRecovered)
  if (writeBehind !== undefined)
    throw invalidArgument('writeBehind', writeBehind, "absent unless writeMode is 'behind'", 'new Cache')
  return new WriteThrough(writer as Writer)
}

/** Writes to the database before the cache does. */
class WriteThrough implements WriterPort {
  readonly behind = false
  readonly #writer: Writer

  constructor(writer: Writer) {
    this.#writer = writer
  }

  put(entries: readonly WriterEntry[]): Promise<void> | void {
    return this.#writer.write(entries)
  }

  remove(keys: readonly string[]): Promise<void> | void {
    return this.#writer.delete(keys)
  }

  queued(): undefined {
    return undefined
  }

  end(): void {}

  async close(): Promise<void> {}
}
