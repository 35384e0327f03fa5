/** The names in one line of imports. */
export function moduleNames(line: string): string[] {
  const names = [...line.matchAll(/\b(?:from|require\()\s*["']([^"']+)["']/g)].map((match) => match[1] ?? '')
  return names.filter((name) => !name.startsWith('.')).map((name) => name.replace(/^node:/, ''))
}
