/** All keys that an iteration yields; none without an iteration. */
export async function collect(keys: AsyncIterable<string> | undefined): Promise<string[]> {
  const found: string[] = []
  if (keys) for await (const key of keys) found.push(key)
  return found
}
