import { cacheErrorCode } from '../../protocol/cache-error.ts'

/** The value as text, short enough for a message. */
export function show(given: unknown): string {
  if (given instanceof Error) {
    const code = cacheErrorCode(given)
    return `${given.name}${code === undefined ? '' : ` ${code}`}: ${given.message}`
  }
  const text = typeof given === 'string' ? JSON.stringify(given) : String(given)
  return text.length > 80 ? `${text.slice(0, 77)}… (${text.length} characters)` : text
}
