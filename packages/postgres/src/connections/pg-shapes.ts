import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'

// The parts of `pg` that the public types need, described by shape: the declarations of this package then compile
// whichever version of `@types/pg` and of TypeScript an application has, or without `@types/pg`.

/** A client of `pg`, such as a `Client` or a `PoolClient`. */
export interface PgClient {
  query(...given: never[]): unknown
  /** A pool lacks this method, so TypeScript refuses a pool in place of a client. */
  escapeIdentifier(text: string): string
}

/** A pool of `pg`. */
export interface PgPool {
  readonly totalCount: number
  readonly options?: { readonly max?: number | undefined } | undefined
  connect(...given: never[]): unknown
  query(...given: never[]): unknown
}

/** The options of `pg` for a client. */
export interface PgClientOptions {
  readonly user?: string | undefined
  readonly database?: string | undefined
  readonly password?: string | (() => string | Promise<string>) | undefined
  readonly port?: number | undefined
  readonly host?: string | undefined
  readonly connectionString?: string | undefined
  readonly keepAlive?: boolean | undefined
  readonly keepAliveInitialDelayMillis?: number | undefined
  readonly stream?: (() => Duplex | undefined) | undefined
  readonly statement_timeout?: false | number | undefined
  readonly query_timeout?: number | undefined
  readonly lock_timeout?: number | undefined
  readonly idle_in_transaction_session_timeout?: number | undefined
  readonly connectionTimeoutMillis?: number | undefined
  readonly ssl?: boolean | ConnectionOptions | undefined
  readonly sslnegotiation?: 'postgres' | 'direct' | undefined
  readonly enableChannelBinding?: boolean | undefined
  readonly application_name?: string | undefined
  readonly fallback_application_name?: string | undefined
  readonly types?: { getTypeParser(...given: never[]): unknown } | undefined
  readonly options?: string | undefined
  readonly client_encoding?: string | undefined
  readonly pipeline?: boolean | undefined
}
