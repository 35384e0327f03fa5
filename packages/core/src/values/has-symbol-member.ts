const isEnumerable = Object.prototype.propertyIsEnumerable

/**
 * Whether the object has an enumerable member that a symbol names. Members that are not enumerable are no data, whatever names
 * them: JSON, `structuredClone` and every codec leave them out.
 */
export function hasSymbolMember(value: object): boolean {
  const symbols = Object.getOwnPropertySymbols(value)
  return symbols.length > 0 && symbols.some((symbol) => isEnumerable.call(value, symbol))
}
