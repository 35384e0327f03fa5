/** For tests of a backend: the rules of CONTRACT.md, and the functions that run them in any test runner. */
export { type Chapter, chapters } from './chapters/index.ts'
export { conformance } from './conformance.ts'
export { type Breakpoint, BreakpointBackend, type BreakpointMethod } from './harness/breakpoint-backend.ts'
export type {
  ApplicationTransaction,
  Awaitable,
  Damage,
  Harness,
  InjectedClient,
  Means,
  MovableClock,
  PrefixRelation,
  ValueKind,
} from './harness/harness.ts'
export { createMovableClock } from './harness/movable-clock.ts'
export type { Member, Rule } from './rules/rule.ts'
export { type Outcome, runRule } from './rules/run-rule.ts'
export { type RuleResult, type Summary, summaryText } from './rules/summary.ts'
export { runSuite } from './run-suite.ts'
export type { It, Runner, RunningTest } from './runner.ts'
export { throughPrefix } from './wrappers/through-prefix.ts'
export { throughSync } from './wrappers/through-sync.ts'
export { throughTwoHandles } from './wrappers/through-two-handles.ts'
