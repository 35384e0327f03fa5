/**
 * Whether JSON preserves the value exactly: its numbers are finite and not -0, its objects are plain, its arrays have
 * no holes, and JSON drops or renames no member.
 */
export function isPlainJson(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'object':
      return value === null || isPlainObject(value)
    default:
      return false
  }
}

function isPlainObject(value: object): boolean {
  if (Array.isArray(value)) {
    return Object.keys(value).length === value.length && value.every((element) => isPlainJson(element))
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype) return false
  if (Object.getOwnPropertySymbols(value).length > 0 || Object.hasOwn(value, '__proto__')) return false
  if ('toJSON' in value) return false
  return Object.values(value).every((member) => isPlainJson(member))
}
