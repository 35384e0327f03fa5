import type { Means } from '../harness/harness.ts'
import type { Member } from './rule.ts'

/** The effect of an absent member of a backend on an application. */
const withoutMember: Readonly<Record<Member, string>> = {
  getMany: 'a read of many keys sends one call for each key',
  setMany: 'a write of many items sends one call for each item',
  deleteMany: 'a delete of many keys sends one call for each key',
  compareAndSet:
    'conditional writes, locks and rate limits reject with UNSUPPORTED, and a late load can overwrite a change of another process',
  increment: 'a counter uses compareAndSet, which is slower under contention',
  keys: 'iteration over keys rejects with UNSUPPORTED',
  stats: 'the statistics have no items, size, evictions or expired',
  describe: 'the health of the cache shows only whether the store answers',
  listen: 'the application receives no events of the store, such as damaged items',
  inTransaction: 'changes cannot be part of a transaction of the application',
  near: 'every hit waits for the store',
  sync: 'every hit waits for a promise, and SyncCache does not accept the backend',
  close: 'connections, timers and files stay open',
}

/** The risk that stays when the harness lacks a member. */
const withoutMeans: Readonly<Record<Means, string>> = {
  openSecond: 'untested: the behaviour of several processes on the same data',
  openOther: 'untested: the separation of two prefixes on one store',
  openMany: 'untested: the first start of several processes',
  openLimited: 'untested: limits and evictions',
  openInjected: 'untested: a client of the application after close',
  beginTransaction: 'untested: transactions of the application',
  reopen: 'untested: a restart of the store',
  clock: 'untested: exact lifetimes',
  corrupt: 'untested: damaged items',
  futureFormat: 'untested: items of a later version of the format',
  break: 'untested: an unreachable store',
  heal: 'untested: the return of an unreachable store',
  freeze: 'untested: a store that hangs',
  thaw: 'untested: the return of a store that hung',
}

/** The cost of a skipped rule for an application, as a sentence without a full stop. */
export function skipCost(lacking: Member | Means): string {
  return lacking in withoutMember ? withoutMember[lacking as Member] : withoutMeans[lacking as Means]
}
