import { familyOf, keysOf, tagsOf } from '../record/areas.ts'
import { type Call, millisecond } from '../record/call.ts'
import type { Checked, Finding } from './finding.ts'
import type { Rules } from './rules.ts'

/** A value that some call made. */
interface Made {
  readonly call: Call
  /** The value is not from after this instant: its load began then, or its `set` had ended. */
  readonly at: number
}

interface Result {
  readonly call: Call
  readonly value: string
}

/** The calls on one key with loads. */
interface LoadedKey {
  readonly made: Map<string, Made>
  readonly changes: Call[]
  readonly results: Result[]
}

/**
 * Keys with loads: no caller gets a value from before a change that had ended when the caller arrived (RACES R1 to R5).
 * A change is a delete, a set, a clear, or an invalidation of one of the tags. A value may always be missing.
 */
export function checkLoads(calls: readonly Call[], rules: Rules): Checked {
  const findings: Finding[] = []
  let passed = 0
  for (const [name, loaded] of collect(calls)) {
    const [area = '', key = ''] = name.split('/')
    const finding = checkKey(loaded, rules)
    if (finding === undefined) passed += 1
    else findings.push({ promise: 'load', area, key, ...finding })
  }
  return { passed, undecided: 0, findings }
}

function collect(calls: readonly Call[]): Map<string, LoadedKey> {
  const keys = new Map<string, LoadedKey>()
  const loadedKey = (area: string, key: string): LoadedKey => {
    const name = `${area}/${key}`
    let found = keys.get(name)
    if (found === undefined) {
      found = { made: new Map(), changes: [], results: [] }
      keys.set(name, found)
    }
    return found
  }
  for (const call of calls) {
    if (familyOf(call.area) !== 'load') continue
    for (const key of changedBy(call)) if (call.outcome === 'done') loadedKey(call.area, key).changes.push(call)
    const { request } = call
    if (!('key' in request)) continue
    const { made, results } = loadedKey(call.area, request.key)
    if (request.do === 'getOrSet') {
      const loading = call.notes.find(({ what }) => what === 'loading')
      if (loading !== undefined) made.set(request.value, { call, at: loading.at })
    } else if (request.do === 'set') made.set(request.value, { call, at: call.end })
    if ((request.do === 'getOrSet' || request.do === 'get') && typeof call.result === 'string') {
      results.push({ call, value: call.result })
    }
  }
  return keys
}

function changedBy({ area, request }: Call): readonly string[] {
  const all = keysOf.load
  switch (request.do) {
    case 'set':
    case 'delete':
      return [request.key]
    case 'clear':
      return all
    case 'deleteByPrefix':
      return all.filter((key) => key.startsWith(request.prefix))
    case 'deleteByTag':
      return all.filter((key) => tagsOf(area, key).includes(request.tag))
    default:
      return []
  }
}

function checkKey(
  { made, changes, results }: LoadedKey,
  rules: Rules,
): { readonly message: string; readonly calls: readonly Call[] } | undefined {
  for (const { call, value } of results) {
    const source = made.get(value)
    if (source === undefined || source.call.start > call.end) {
      return { message: `${call.id} got '${value}', which no earlier call made`, calls: [call] }
    }
    for (const change of changes) {
      if (change === source.call || change.start <= source.at) continue
      const bound = change.process === call.process ? 0 : rules.stalenessOf(call.process, call.start)
      if (change.end + bound >= call.start) continue
      const late = ((call.start - change.end) / millisecond).toFixed(1)
      return {
        message: `${call.id} began ${late} ms after ${change.id} had ended, and got a value from before it`,
        calls: [source.call, change, call],
      }
    }
  }
  return undefined
}
