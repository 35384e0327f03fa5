import type { Rule } from '../rules/rule.ts'

/** The rules of one chapter of CONTRACT.md, in its order. */
export interface Chapter {
  /** Number and name as in CONTRACT.md. */
  readonly title: string
  readonly rules: readonly Rule[]
}
