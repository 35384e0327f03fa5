import { longestDuration } from '../../protocol/duration.ts'
import type { Item } from '../../protocol/item.ts'
import { createVersion } from '../../protocol/version.ts'
import type { Lifetime } from '../options/lifetime.ts'

/** Shortens a lifetime by a random part of up to `jitter`, so that values stored together do not expire together. */
export function jittered(life: Lifetime, jitter: number, random: () => number): Lifetime {
  if (jitter === 0 || life.ttl === Infinity || life.expiresAt !== undefined) return life
  return { ...life, ttl: Math.ceil(life.ttl * (1 - jitter * random())) }
}

/** The members of an item that say how long it lives. */
export interface Instants {
  staleAt?: number
  expiresAt?: number
}

/** Instants of a life that begins now. A value that is never stale has no `staleAt`; one that never expires no `expiresAt`. */
export function instants(life: Lifetime, now: number): Instants {
  const ttl = life.expiresAt === undefined ? life.ttl : Math.max(0, life.expiresAt - now)
  if (ttl === Infinity) return {}
  // With ttl 0 nothing is ever fresh, and nothing is kept for staleness either (RACES R26). Long past, and not now: the clock of
  // a store may lag behind ours (R16), or be read but now and then.
  if (ttl === 0) return { expiresAt: 0 }
  const end = now + ttl
  if (life.staleFor === 0) return { expiresAt: end }
  if (life.staleFor === Infinity) return { staleAt: end }
  return { staleAt: end, expiresAt: Math.min(end + life.staleFor, now + longestDuration) }
}

/**
 * Whether an item that a backend just gave is fresh. Its `expiresAt` is the backend's to judge, by its own clock, which may
 * differ from ours (RACES R16).
 */
export function isFresh(item: Item, now: number): boolean {
  return item.staleAt === undefined || now < item.staleAt
}

/** Whether an item that was held for a while may still be served. */
export function isAlive(item: Item, now: number): boolean {
  return item.expiresAt === undefined || now < item.expiresAt
}

/** The instant from which on the item is no longer fresh. */
export function freshUntil(item: Item): number {
  return item.staleAt ?? item.expiresAt ?? Infinity
}

/** Whether a new item has a life at all; with `ttl` 0 it has none, and storing it removes the earlier item. */
export function hasLife(item: Item): boolean {
  return isAlive(item, item.createdAt)
}

/** A life that ends after `ttl`, also at once, with the stale period that the item has already; with `staleFor` where it has none. */
export function staleAfter(item: Item, { ttl, staleFor }: Lifetime, now: number): Instants {
  if (ttl === Infinity) return {}
  const staleAt = now + ttl
  const own = item.staleAt === undefined ? staleFor : (item.expiresAt ?? Infinity) - item.staleAt
  return own === Infinity ? { staleAt } : { staleAt, expiresAt: Math.min(staleAt + own, now + longestDuration) }
}

/** The life that an item has. */
export function lifeOf({ staleAt, expiresAt }: Item): Instants {
  if (staleAt === undefined) return expiresAt === undefined ? {} : { expiresAt }
  return expiresAt === undefined ? { staleAt } : { staleAt, expiresAt }
}

/** The same item with another life; a new version, as everything that is written. */
export function renewed(item: Item, life: Instants): Item {
  const { staleAt: _stale, expiresAt: _expires, ...rest } = item
  return { ...rest, ...life, version: createVersion() }
}
