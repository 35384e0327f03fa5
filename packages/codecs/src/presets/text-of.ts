/** Returns the text, or throws a `TypeError` for data that the type did not encode. */
export function textOf(data: unknown, type: string): string {
  if (typeof data !== 'string') throw new TypeError(`the data of the type ${type} is no text`)
  return data
}
