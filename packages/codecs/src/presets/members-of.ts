/** Returns the object with its members, or throws a `TypeError` for data that the type did not encode. */
export function membersOf(data: unknown, type: string): Readonly<Record<string, unknown>> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new TypeError(`the data of the type ${type} is no object`)
  }
  return data as Readonly<Record<string, unknown>>
}
