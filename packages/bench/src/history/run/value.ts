/** What is stored: an id, and a text whose length the id decides. */
interface Stored {
  readonly id: string
  readonly padding: string
}

/** Most values are short. Some have a few kilobytes, so that backends compress them or keep them elsewhere. */
function paddingOf(id: string): string {
  const number = Number(id.slice(id.lastIndexOf('-') + 1))
  const length = number % 11 === 0 ? 5000 : number % 3 === 0 ? 200 : 0
  return String.fromCharCode(97 + (number % 26)).repeat(length)
}

export function storedValue(id: string): Stored {
  return { id, padding: paddingOf(id) }
}

/** The id of a value that was read; `null` for none. A damaged value has an id that no call wrote. */
export function idOf(value: unknown): string | null {
  if (value === undefined) return null
  const { id, padding } = value as Partial<Stored>
  if (typeof id === 'string' && padding === paddingOf(id)) return id
  return `damaged: ${JSON.stringify(value).slice(0, 200)}`
}
