import type { ClientBase } from 'pg'
import { sqlState, timeoutError, unexpectedReply } from '../errors.ts'
import { startTimeout } from '../timeouts/start-timeout.ts'
import { faultOfRows } from './result-rows.ts'
import type { Parameter, ResultRow } from './session.ts'
import type { Statement } from './statement.ts'

/** Receives the rows of a statement, or its error. */
export type Callback = (error: unknown, rows: ResultRow[]) => void

/** `command` is null before the end of a statement. */
type QueryCallback = (error: unknown, result?: { readonly rows?: unknown; readonly command?: unknown }) => void
type CallbackQuery = (config: object, callback: QueryCallback) => void

/** Sends one statement, by its name where the session may prepare it. Calls back once. */
export function sendQuery(
  client: ClientBase,
  statement: Statement,
  values: readonly Parameter[],
  prepare: boolean,
  method: string,
  callback: Callback,
): void {
  const { name, text } = statement
  const config = prepare ? { name, text, values, rowMode: 'array' } : { text, values, rowMode: 'array' }
  let isOver = false
  const finish: QueryCallback = (error, result) => {
    if (isOver) return
    isOver = true
    if (error !== null && error !== undefined) callback(error, [])
    else if (result?.command === null) callback(unexpectedReply(method, 'it has no end'), [])
    else receiveRows(result?.rows, statement, method, callback)
  }
  try {
    // The callback form, because the promise form of `pg` captures a second stack for every call.
    ;(client.query as unknown as CallbackQuery).call(client, config, finish)
  } catch (error) {
    finish(error)
  }
}

/** Passes the rows on if they have the columns of the statement, else an error. */
export function receiveRows(rows: unknown, statement: Statement, method: string, callback: Callback): void {
  const fault = faultOfRows(rows, statement)
  if (fault === undefined) callback(undefined, statement.columns === undefined ? [] : (rows as ResultRow[]))
  else callback(unexpectedReply(method, fault), [])
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
    sendQuery(client, statement, values, prepare, method, (error, rows) => {
      stopTimeout()
      if (error === undefined) resolve(rows)
      else reject(error)
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
