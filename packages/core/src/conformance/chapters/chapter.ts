import type { Rule } from '../rules/rule.ts'

/** One chapter of CONTRACT.md with its rules, in order. */
export interface Chapter {
  /** Number and name as in CONTRACT.md. */
  readonly title: string
  readonly rules: readonly Rule[]
}
