import { invalidArgument } from '@cache/core/backend'
import type { Slots } from '../engine/slots.ts'
import { AdaptivePolicy } from './adaptive.ts'
import { FifoPolicy } from './fifo.ts'
import { LfuPolicy } from './lfu.ts'
import { LruPolicy } from './lru.ts'
import type { EvictionPolicy, Policy } from './policy.ts'
import { RandomPolicy } from './random.ts'
import { S3FifoPolicy } from './s3-fifo.ts'
import { SievePolicy } from './sieve.ts'
import { WTinyLfuPolicy } from './w-tinylfu.ts'

type PolicyClass = new (slots: Slots<unknown, unknown>, random: () => number) => Policy

const policies: { readonly [name in EvictionPolicy]?: PolicyClass } = {
  lru: LruPolicy,
  lfu: LfuPolicy,
  fifo: FifoPolicy,
  random: RandomPolicy,
  sieve: SievePolicy,
  's3-fifo': S3FifoPolicy,
  'w-tinylfu': WTinyLfuPolicy,
  adaptive: AdaptivePolicy,
}

/** The names of all policies. */
export const policyNames: readonly EvictionPolicy[] = Object.keys(policies) as EvictionPolicy[]

/** A function that creates the policy with the name. Throws `INVALID_ARGUMENT` for an unknown name. */
export function createPolicy(name: EvictionPolicy, random: () => number): (slots: Slots<unknown, unknown>) => Policy {
  const Chosen = Object.hasOwn(policies, name) ? policies[name] : undefined
  if (Chosen === undefined) throw invalidArgument('policy', name, `one of ${policyNames.join(', ')}`)
  return (slots) => new Chosen(slots, random)
}
