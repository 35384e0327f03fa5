import type { Harness } from '../../../src/conformance/index.ts'
import type { Item } from '../../../src/index.ts'

/** A backend that breaks a promise, and the rule that must catch it. */
export interface Broken {
  /** The number of the rule. */
  readonly rule: string
  /** What it does wrong: a verb with its object, without a subject. */
  readonly does: string
  readonly harness: () => Harness
  /** The same by the machine's clock, where the backend takes one. */
  readonly realTime?: () => Harness
}

/** The second parameter of `compareAndSet`: the expected version. */
export type Expected = string | undefined

/** The third parameter of `compareAndSet`: the next item. */
export type Next = Item | undefined
