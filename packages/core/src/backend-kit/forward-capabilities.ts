import type { CacheBackend, NearReader, SyncCacheBackend } from '../protocol/backend.ts'

/** The name of an optional member of `CacheBackend`. */
export type Capability = {
  [M in keyof CacheBackend]-?: object extends Pick<CacheBackend, M> ? M : never
}[keyof CacheBackend]

/** What a decorator offers as the member. The optional members of `near` are required, so that none is forgotten. */
type Offered<M extends Capability> = M extends 'near' ? Required<NearReader> : NonNullable<CacheBackend[M]>

/** A member that the decorator never has. */
interface Absent {
  /** Why the decorator cannot have it. */
  readonly absent: string
}

/**
 * Makes the member of the decorator. The arguments are the members of the parts, in the order of the parts. The member is absent
 * where the result is `undefined`.
 */
type Make<M extends Capability, Part> = M extends keyof Part
  ? (...members: NonNullable<Part[M]>[]) => Offered<M> | undefined
  : never

/** The same for a member that depends on these parts alone. */
interface From<M extends Capability, Part> {
  readonly from: readonly Part[]
  readonly make: Make<M, Part>
}

/**
 * How a decorator has one optional member: `'own'` if its class always has the member, a function that makes it from the members
 * of its parts, or a reason why it is absent.
 */
type Entry<M extends Capability, Decorator, Part> =
  | Absent
  | (M extends keyof Decorator ? (object extends Pick<Decorator, M> ? Make<M, Part> | From<M, Part> : 'own') : never)

/** How a decorator has each optional member. A new member of the protocol does not compile until every decorator names it. */
export type Capabilities<Decorator, Part = CacheBackend> = {
  readonly [M in Capability]: Entry<M, Decorator, Part>
}

type AnyPart = CacheBackend | SyncCacheBackend
/** An entry of any member: the loop over the names of the members loses their types. */
type AnyMake = (...members: unknown[]) => unknown
type AnyEntry = 'own' | Absent | AnyMake | { readonly from: readonly AnyPart[]; readonly make: AnyMake }

const declared = new WeakMap<object, Readonly<Record<Capability, unknown>>>()

/**
 * Gives a decorator (a backend made of other backends, its parts) the optional members that its parts have. A member is present
 * where all of the parts have it. Call it in the constructor, with the class as the type argument.
 */
export function forwardCapabilities<Decorator extends CacheBackend, Part extends AnyPart = CacheBackend>(
  decorator: Decorator,
  parts: readonly Part[],
  capabilities: Capabilities<Decorator, Part>,
): void {
  declared.set(decorator, capabilities)
  for (const [name, entry] of Object.entries(capabilities) as [Capability, AnyEntry][]) {
    if (entry === 'own' || isAbsent(entry)) continue
    const { from, make } = typeof entry === 'function' ? { from: parts, make: entry } : entry
    const members = from.map((part) => boundMember(part, name))
    if (members.every((member) => member !== undefined)) Object.assign(decorator, { [name]: make(...members) })
  }
}

/** Why a decorator never has the member. `undefined` where it has the member, or has it as soon as its parts do. */
export function reasonForAbsence(decorator: CacheBackend, capability: Capability): string | undefined {
  const entry = declared.get(decorator)?.[capability]
  return isAbsent(entry) ? entry.absent : undefined
}

function isAbsent(entry: unknown): entry is Absent {
  return typeof entry === 'object' && entry !== null && 'absent' in entry
}

function boundMember(part: AnyPart, name: Capability): unknown {
  const member: unknown = (part as CacheBackend)[name]
  return typeof member === 'function' ? member.bind(part) : member
}
