import { pathToFileURL } from 'node:url'
import { CacheError } from '@cache/core/backend'

/** A value that a statement binds or a row holds. */
export type SqlValue = null | number | string | Uint8Array

export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint }
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
}

/** A statement whose rows are arrays, in the order of the columns. */
export interface RowStatement {
  get(...values: SqlValue[]): readonly SqlValue[] | undefined
  all(...values: SqlValue[]): readonly (readonly SqlValue[])[]
}

/** The common part of `node:sqlite` and better-sqlite3. This package uses no other part. */
export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

/** The SQLite that opens the index: the one of the runtime, or the npm package. */
export type Engine = 'node:sqlite' | 'better-sqlite3'

export interface OpenOptions {
  readonly readOnly?: boolean
  /**
   * Opens a file that no process can write to, without locks and -shm file. Only `node:sqlite` from Node 22.15 on can
   * do this.
   */
  readonly immutable?: boolean
  /** Allows `pragma writable_schema`, with which SQLite reads a damaged file as far as it can. */
  readonly damaged?: boolean
}

/** A SQLite that is loaded. */
interface LoadedEngine {
  open(path: string, options: OpenOptions): Database
  /** `node:sqlite`, or the main file of better-sqlite3; `undefined` when that is not known. */
  readonly file: string | undefined
}

let anyEngine: Promise<LoadedEngine> | undefined

/**
 * A column of whole numbers, `null` when damage put a number there that JavaScript cannot hold. `node:sqlite` would
 * throw for the whole row, and so fail every call of its transaction.
 */
export function wholeColumn(column: string): string {
  return `case when ${column} between -9007199254740991 and 9007199254740991 then ${column} end`
}

/** Rows as arrays make a read a quarter cheaper than rows as objects. `node:sqlite` has them from Node 22.16 on. */
export function prepareRows(database: Database, sql: string): RowStatement {
  const statement = database.prepare(sql) as Statement & {
    setReturnArrays?(yes: boolean): void
    raw?(yes: boolean): void
  }
  if (statement.setReturnArrays !== undefined) statement.setReturnArrays(true)
  else if (statement.raw !== undefined) statement.raw(true)
  else return new ObjectRows(statement)
  return statement as Statement as RowStatement
}

class ObjectRows implements RowStatement {
  readonly #statement: Statement

  constructor(statement: Statement) {
    this.#statement = statement
  }

  get(...values: SqlValue[]): readonly SqlValue[] | undefined {
    const row = this.#statement.get(...values)
    return row === undefined ? undefined : Object.values(row as object)
  }

  all(...values: SqlValue[]): readonly (readonly SqlValue[])[] {
    return this.#statement.all(...values).map((row) => Object.values(row as object))
  }
}

/**
 * Opens a database file, without `engine` by the runtime's own SQLite, else by better-sqlite3. Rejects with
 * `UNSUPPORTED` when neither exists.
 *
 * One process must not open one index with both. Each has its own table of POSIX locks, and closing a file in one
 * releases the locks of the other (sqlite.org/howtocorrupt.html, 2.2).
 */
export async function openDatabase(path: string, engine?: Engine, options: OpenOptions = {}): Promise<Database> {
  return (await loaded(engine)).open(path, options)
}

/** `node:sqlite`, or the main file of better-sqlite3, for another thread; `undefined` when that is not known. */
export async function engineFile(engine?: Engine): Promise<string | undefined> {
  return (await loaded(engine)).file
}

function loaded(engine: Engine | undefined): Promise<LoadedEngine> {
  if (engine !== undefined) return load(engine)
  anyEngine ??= loadAny()
  return anyEngine
}

async function loadAny(): Promise<LoadedEngine> {
  try {
    return await load('node:sqlite')
  } catch (missing) {
    if (!isMissing(missing)) throw missing
  }
  try {
    return await load('better-sqlite3')
  } catch (missing) {
    throw isMissing(missing) ? noEngine('SQLite', missing) : missing
  }
}

async function load(engine: Engine): Promise<LoadedEngine> {
  try {
    return engine === 'node:sqlite' ? await loadNodeSqlite() : await loadBetterSqlite3()
  } catch (cause) {
    throw isMissing(cause) ? noEngine(engine, cause) : cause
  }
}

function noEngine(what: string, cause: unknown): CacheError {
  const needs = '@cache/file needs Node 22.13 or later, or the optional package better-sqlite3'
  const message = `No ${what}: ${needs} (this is Node ${process.versions.node})`
  return new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open', cause })
}

async function loadNodeSqlite(): Promise<LoadedEngine> {
  const { DatabaseSync } = await import('node:sqlite')
  const open = (path: string, { readOnly = false, immutable = false, damaged = false }: OpenOptions): Database => {
    const url = pathToFileURL(path)
    url.searchParams.set('immutable', '1')
    const options = damaged ? { readOnly, defensive: false } : { readOnly }
    try {
      return new DatabaseSync(immutable ? url : path, options) as Database
    } catch (cause) {
      if (!immutable || (cause as NodeJS.ErrnoException).code !== 'ERR_INVALID_ARG_TYPE') throw cause
      const message = `Reading a read-only directory needs Node 22.15 or later (this is Node ${process.versions.node})`
      throw new CacheError('UNSUPPORTED', message, { backend: 'file', operation: 'open', cause })
    }
  }
  return { open, file: 'node:sqlite' }
}

interface BetterSqlite3 {
  new (path: string, options: { readonly: boolean; timeout: number }): Database & { unsafeMode(yes: boolean): unknown }
}

async function loadBetterSqlite3(): Promise<LoadedEngine> {
  // The name is no literal, so that neither the compiler nor a bundler requires this optional package.
  // A literal name would be an error of bundlers in applications without this optional package.
  const name = ['better', 'sqlite3'].join('-')
  const { default: Constructor } = (await import(/* webpackIgnore: true */ /* @vite-ignore */ name)) as {
    default: BetterSqlite3
  }
  const open = (path: string, { readOnly = false, damaged = false }: OpenOptions): Database => {
    const database = new Constructor(path, { readonly: readOnly, timeout: 0 })
    if (damaged) database.unsafeMode(true)
    return database
  }
  return { open, file: fileOf(Constructor) }
}

/** The file of a CommonJS module with these exports. Its path does not depend on where this code was bundled to. */
function fileOf(exports: unknown): string | undefined {
  // Not imported: webpack would read the argument of an imported `createRequire`, and warn.
  const { createRequire } = process.getBuiltinModule('node:module')
  const { cache } = createRequire(pathToFileURL(process.execPath))
  return Object.values(cache).find((module) => module?.exports === exports)?.filename
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return (
    code === 'ERR_UNKNOWN_BUILTIN_MODULE' ||
    code === 'ERR_MODULE_NOT_FOUND' ||
    code === 'MODULE_NOT_FOUND' ||
    code === 'UNSUPPORTED'
  )
}
