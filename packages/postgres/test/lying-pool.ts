import pg from 'pg'
import type { PgPool } from '../src/index.ts'
import { quotedTable } from '../src/table/schema.ts'
import { statementsFor } from '../src/table/statements.ts'

/** A query as a session of this package makes it. */
export interface SentQuery {
  readonly text: string
  readonly values: readonly unknown[]
  /** The number of columns that its rows have. */
  readonly columns: number
  /** Calls back as `pg` does. */
  answer(error: unknown, result?: unknown): void
}

export type Lie = (query: SentQuery) => void

export interface LyingPool {
  readonly pool: PgPool
  /** All queries get this lie instead of the reply of the server, until the next call; absent: the server replies. */
  tell(lie: Lie | undefined): void
  end(): Promise<void>
}

/** A pool whose clients pass queries on to the server, or lie. */
export function lyingPool(url: string, table: string): LyingPool {
  const real = new pg.Pool({ connectionString: url, max: 5 })
  const columns = new Map<string, number>()
  for (const one of Object.values(statementsFor(quotedTable({ table }), true))) {
    if (typeof one === 'object' && 'text' in one) columns.set(one.text, one.columns ?? 0)
  }
  let lie: Lie | undefined
  const pool = {
    totalCount: 0,
    options: { max: 5 },
    on: () => pool,
    off: () => pool,
    getMaxListeners: () => 10,
    setMaxListeners: () => pool,
    query: () => {},
    connect(callback: (error: unknown, client?: unknown) => void): void {
      if (lie === undefined) {
        real.connect((error, client) => callback(error, client === undefined ? undefined : wrapped(client)))
        return
      }
      callback(undefined, wrapped(undefined))
    },
  }
  const wrapped = (client: pg.PoolClient | undefined): unknown => ({
    on: () => {},
    off: () => {},
    release: (error: Error | undefined) => client?.release(error),
    query(
      config: { readonly text: string; readonly values?: readonly unknown[] },
      callback: (...given: unknown[]) => void,
    ) {
      const { text, values = [] } = config
      if (lie !== undefined) lie({ text, values, columns: columns.get(text) ?? 1, answer: callback })
      else if (client === undefined) callback(new Error('Connection terminated'))
      else void client.query(config as pg.QueryConfig, callback as never)
    },
  })
  return {
    pool: pool as unknown as PgPool,
    tell: (next) => {
      lie = next
    },
    end: () => real.end(),
  }
}
