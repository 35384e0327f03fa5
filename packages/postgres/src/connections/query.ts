import type { ClientBase } from 'pg'
import { sqlState, timeoutError } from '../errors.ts'
import { startTimeout } from '../timeouts/start-timeout.ts'
import type { Parameter, ResultRow } from './session.ts'
import type { Statement } from './statement.ts'

export type Callback = (error: Error | null | undefined, result: { readonly rows: ResultRow[] }) => void
type CallbackQuery = (config: object, callback: Callback) => void

/** Sends one statement, by its name where the session may prepare it. */
export function sendQuery(
  client: ClientBase,
  { name, text }: Statement,
  values: readonly Parameter[],
  prepare: boolean,
  callback: Callback,
): void {
  const config = prepare ? { name, text, values, rowMode: 'array' } : { text, values, rowMode: 'array' }
  // The callback form, because the promise form of `pg` captures a second stack for every call.
  ;(client.query as unknown as CallbackQuery).call(client, config, callback)
}

/** Sends one statement and resolves to its rows. Rejects with the error of `pg`, or with `TIMEOUT`. */
export function query(
  client: ClientBase,
  statement: Statement,
  values: readonly Parameter[],
  prepare: boolean,
  method: string,
  timeout: number,
): Promise<ResultRow[]> {
  return new Promise((resolve, reject) => {
    const stopTimeout = startTimeout(timeout, () => reject(timeoutError(method, timeout)))
    sendQuery(client, statement, values, prepare, (error, result) => {
      stopTimeout()
      if (error) reject(error)
      else resolve(result.rows)
    })
  })
}

/** Whether the server itself reported the error and continues: the connection stays usable. */
export function isServerError(error: unknown): boolean {
  const { severity } = error as { severity?: unknown }
  return severity === 'ERROR' && sqlState(error) !== undefined
}

/**
 * Whether the session does not have the prepared statement, or its plan no longer fits: behind a pooler in transaction
 * mode, after `DISCARD ALL`, or after a migration. The statement has not run, so it may be sent again without a name.
 */
export function isStatementLost(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '26000' || state === '42P05') return true
  return state === '0A000' && error instanceof Error && error.message.includes('cached plan')
}
