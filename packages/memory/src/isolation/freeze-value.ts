import { brandOf, type PathStep, refusedClass, refusedPart } from '@cache/core/backend'

interface Part {
  readonly value: unknown
  readonly step: PathStep
  readonly outer: Part | undefined
}

/**
 * Freezes the value deeply. Throws a `TypeError`, and freezes nothing, if a part stays changeable although it is frozen: bytes,
 * dates, maps, sets, functions, and instances of classes, whose private members cannot be frozen.
 */
export function freezeValue(value: unknown): void {
  const pending: Part[] = [{ value, step: '', outer: undefined }]
  const visited = new Set<object>()
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    const { value: inner } = part
    if (typeof inner === 'function') throw refusedClass('a frozen value', inner, pathOf(part))
    if (inner === null || typeof inner !== 'object' || visited.has(inner)) continue
    check(inner, part)
    visited.add(inner)
    addMembers(inner, part, pending)
  }
  // Only after all checks, so that a refused value stays unchanged.
  for (const part of visited) Object.freeze(part)
}

function check(value: object, part: Part): void {
  const brand = brandOf(value)
  switch (brand) {
    case 'Object':
    case 'null prototype':
    case 'Array':
    case 'Error':
    case 'RegExp':
      return
    case undefined:
      throw refusedClass('a frozen value', value, pathOf(part))
    default:
      throw refusedPart(
        'a frozen value',
        `a ${brand}, whose content stays changeable,`,
        pathOf(part),
        "use the isolation 'clone'",
      )
  }
}

/** Adds the own members, including non-enumerable and symbol ones. Getters are not called: their results are not stored. */
function addMembers(value: object, outer: Part, pending: Part[]): void {
  if (Array.isArray(value)) {
    for (const [index, member] of Object.values(value).entries()) pending.push({ value: member, step: index, outer })
    return
  }
  for (const key of Reflect.ownKeys(value)) {
    pending.push({ value: Object.getOwnPropertyDescriptor(value, key)?.value, step: String(key), outer })
  }
}

function pathOf(part: Part): PathStep[] {
  const steps: PathStep[] = []
  for (let at: Part | undefined = part; at?.outer !== undefined; at = at.outer) steps.unshift(at.step)
  return steps
}
