import type { MaybePromise } from '../../backend-kit/maybe-promise.ts'
import type { LoadSettings } from '../options/cache-options.ts'
import type { GetOrSetOptions } from '../options/get-or-set-options.ts'
import type { Lifetime } from '../options/lifetime.ts'
import type { LookUp } from '../reading/finder.ts'
import type { Loader } from './load-context.ts'

/** One call of `getOrSet`, with all its options resolved. */
export interface Call {
  readonly key: string
  readonly backendKey: string
  readonly loader: Loader<unknown>
  readonly options: GetOrSetOptions
  readonly settings: LoadSettings
  readonly life: Lifetime
  readonly known: KnownLookUp | undefined
  /** The instant of the call. */
  readonly since: number
}

/** A look-up that was made before the flight: for a whole batch, or because most look-ups end there. */
export interface KnownLookUp {
  readonly found: MaybePromise<LookUp>
  /** Of a batch: called when the batch need not wait for this call any longer. Calling it again does nothing. */
  readonly decided?: () => void
}
