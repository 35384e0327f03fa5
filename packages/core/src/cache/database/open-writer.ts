import { invalidArgument } from '../../protocol/argument.ts'
import { CacheError } from '../../protocol/cache-error.ts'
import type { WriterPort } from '../items/writer-port.ts'
import type { WriteBehindOptions, Writer, WriterEntry } from '../options/writer.ts'
import type { CacheState } from '../state/cache-state.ts'
import { WriteBehind } from './write-behind.ts'

interface WriterOptions {
  readonly writer?: Writer<never> | undefined
  readonly writeMode?: 'through' | 'behind' | undefined
  readonly writeBehind?: WriteBehindOptions | undefined
}

/**
 * The writer of a cache, or `undefined` without one. `onRecovered` gets the keys of changes that an earlier process left. Throws `INVALID_ARGUMENT`.
 */
export function openWriter(
  options: WriterOptions,
  state: CacheState,
  onRecovered: (keys: readonly string[]) => Promise<void>,
): WriterPort | undefined {
  const { writer, writeMode = 'through', writeBehind } = options
  if (writer === undefined) {
    for (const name of ['writeMode', 'writeBehind'] as const) {
      if (options[name] !== undefined) throw needs(name, 'a writer')
    }
    return undefined
  }
  if (writer === null || typeof writer.write !== 'function' || typeof writer.delete !== 'function') {
    throw invalidArgument('writer', writer, 'an object with write(entries) and delete(keys)', 'new Cache')
  }
  if (writeMode !== 'through' && writeMode !== 'behind')
    throw invalidArgument('writeMode', writeMode, "'through' or 'behind'", 'new Cache')
  if (writeBehind?.journal !== undefined && writeBehind.journal === state.backend)
    throw invalidArgument(
      'writeBehind.journal',
      writeBehind.journal,
      "another backend than the cache's, which clear() empties",
      'new Cache',
    )
  if (writeMode === 'behind')
    return new WriteBehind(writer as Writer, writeBehind === undefined ? {} : writeBehind, state, onRecovered)
  if (writeBehind !== undefined) throw needs('writeBehind', "writeMode: 'behind'")
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

  describe(): undefined {
    return undefined
  }

  end(): void {}

  async close(): Promise<void> {}
}

function needs(option: string, missing: string): CacheError {
  return new CacheError('INVALID_ARGUMENT', `new Cache: ${option} needs ${missing}`, { operation: 'new Cache' })
}
