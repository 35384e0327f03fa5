import { familyOf, keysOf, tagsOf } from '../record/areas.ts'
import type { Call } from '../record/call.ts'

/** A value of a register (the id of a unique value), the number of a counter, or `null` for "no value". */
export type Value = string | number | null

/** The part of a call that concerns one key. `undefined` as a result: the caller got no answer. */
export type Act =
  | { readonly type: 'read'; readonly value: Value }
  | { readonly type: 'has'; readonly found: boolean }
  | { readonly type: 'write'; readonly value: Value; readonly ttl?: number }
  | { readonly type: 'remove'; readonly had: boolean | undefined }
  /** An invalidation of a tag of the key. */
  | { readonly type: 'invalidate' }
  | {
      readonly type: 'writeIf'
      readonly when: 'empty' | 'present' | 'equal'
      readonly expected: Value
      readonly value: Value
      readonly held: boolean | undefined
      readonly ttl?: number
    }
  | { readonly type: 'take'; readonly value: Value | undefined }
  /** An `update`: `seen` is the value that its function got last. */
  | { readonly type: 'change'; readonly seen: Value; readonly value: Value }
  | { readonly type: 'count'; readonly delta: number; readonly sum: number | undefined }

export interface KeyCall {
  readonly call: Call
  readonly act: Act
  readonly process: string
  readonly start: number
  readonly end: number
  /** Whether the caller got no answer, so that the effect may come at any later moment, or never. */
  readonly isOpen: boolean
}

/** The calls of each key, by area and key. */
export function splitByKey(calls: readonly Call[]): Map<string, KeyCall[]> {
  const byKey = new Map<string, KeyCall[]>()
  for (const call of calls) {
    for (const [key, act] of actsOf(call)) {
      const name = `${call.area}/${key}`
      const isOpen = call.outcome !== 'done'
      const { process, start } = call
      const keyCall = { call, act, process, start, end: isOpen ? Infinity : call.end, isOpen }
      const others = byKey.get(name)
      if (others === undefined) byKey.set(name, [keyCall])
      else others.push(keyCall)
    }
  }
  return byKey
}

type Acts = (readonly [key: string, act: Act])[]

/** Reads without an answer say nothing, and are left out. */
function actsOf(call: Call): Acts {
  const { request, result, area } = call
  const isDone = call.outcome === 'done'
  switch (request.do) {
    case 'get':
    case 'getNumber':
      return isDone ? [[request.key, { type: 'read', value: result as Value }]] : []
    case 'getMany':
      return isDone
        ? request.keys.map((key, index) => [key, { type: 'read', value: (result as Value[])[index] ?? null }])
        : []
    case 'has':
      return isDone ? [[request.key, { type: 'has', found: result === true }]] : []
    case 'set':
      return [[request.key, { type: 'write', value: request.value, ...ttlOf(request.ttl) }]]
    case 'setNumber':
      return [[request.key, { type: 'write', value: request.number }]]
    case 'setMany':
      return request.keys.map((key, index) => [key, { type: 'write', value: request.values[index] ?? null }])
    case 'delete':
      return [[request.key, { type: 'remove', had: hadOf(call, request.key) }]]
    case 'deleteMany':
      return request.keys.map((key) => [key, { type: 'remove', had: undefined }])
    case 'clear':
      return keysIn(area).map((key) => [key, { type: 'remove', had: undefined }])
    case 'deleteByPrefix':
      return keysIn(area)
        .filter((key) => key.startsWith(request.prefix))
        .map((key) => [key, { type: 'remove', had: undefined }])
    case 'deleteByTag':
      return keysIn(area)
        .filter((key) => tagsOf(area, key).includes(request.tag))
        .map((key) => [key, { type: 'invalidate' }])
    case 'add':
      return [[request.key, conditional('empty', null, request.value, call, request.ttl)]]
    case 'replace':
      return [[request.key, conditional('present', null, request.value, call, request.ttl)]]
    case 'compareAndSet':
      return [
        [
          request.key,
          conditional(request.expected === null ? 'empty' : 'equal', request.expected, request.value, call),
        ],
      ]
    case 'take':
      return [[request.key, { type: 'take', value: isDone ? (result as Value) : undefined }]]
    case 'update': {
      const seen = call.notes.findLast(({ what }) => what === 'seen')
      // The function did not run, so nothing was stored.
      return seen === undefined ? [] : [[request.key, { type: 'change', seen: seen.value, value: request.value }]]
    }
    case 'increment':
      return [[request.key, { type: 'count', delta: request.delta, sum: isDone ? (result as number) : undefined }]]
    default:
      return []
  }
}

function conditional(
  when: 'empty' | 'present' | 'equal',
  expected: Value,
  value: Value,
  call: Call,
  ttl?: number,
): Act {
  const held = call.outcome === 'done' ? call.result === true : undefined
  return { type: 'writeIf', when, expected, value, held, ...ttlOf(ttl) }
}

function ttlOf(ttl: number | undefined): { readonly ttl?: number } {
  return ttl === undefined ? {} : { ttl }
}

/** An item of an invalidated tag is stored until it is replaced, so `delete` cannot tell whether there was a value. */
function hadOf(call: Call, key: string): boolean | undefined {
  return call.outcome === 'done' && tagsOf(call.area, key).length === 0 ? call.result === true : undefined
}

function keysIn(area: string): readonly string[] {
  return keysOf[familyOf(area)]
}
