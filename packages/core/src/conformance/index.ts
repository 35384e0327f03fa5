/** For those who test a backend: the rules of CONTRACT.md, and what runs them. Needs no test runner of its own. */
export { type Chapter, chapters } from './chapters/index.ts'
export { conformance } from './conformance.ts'
export { type Gated, GatedBackend, type HeldCall } from './gated-backend.ts'
export type {
  ApplicationTransaction,
  Awaitable,
  Damage,
  Harness,
  InjectedClient,
  Means,
  MovableClock,
  ValueKind,
} from './harness.ts'
export { createMovableClock } from './movable-clock.ts'
export type { Member, Rule } from './rule.ts'
export { type Outcome, runRule } from './run-rule.ts'
export type { It, Runner, RunningTest } from './runner.ts'
export { throughPrefix } from './through-prefix.ts'
export { throughSync } from './through-sync.ts'
export { throughTwoHandles } from './through-two-handles.ts'
