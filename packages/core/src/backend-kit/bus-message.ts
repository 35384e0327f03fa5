import { invalidArgument } from '../protocol/argument.ts'
import type { BusMessage } from '../protocol/bus.ts'

/** Throws `INVALID_ARGUMENT` for anything but a bus message: its receivers would ignore it without a sign. */
export function checkBusMessage(message: BusMessage): void {
  if (typeof message !== 'object' || message === null || shapeOf({ ...message }) === undefined) {
    throw invalidArgument('message', message, 'a bus message, with kind, source and the members of its kind', 'publish')
  }
}

/**
 * The message as JSON, which keeps any string, lone surrogates included. The first member is the version of this format.
 * Throws `INVALID_ARGUMENT` for anything but a bus message.
 */
export function encodeBusMessage(message: BusMessage): string {
  checkBusMessage(message)
  return JSON.stringify({ v: 1, ...message })
}

/** The message, or `undefined` for other text and for a later version of the format. */
export function decodeBusMessage(text: string): BusMessage | undefined {
  const parsed = parse(text)
  return parsed === undefined || parsed.v !== 1 ? undefined : shapeOf(parsed)
}

function shapeOf(given: Readonly<Record<string, unknown>>): BusMessage | undefined {
  const { kind, source, keys, versions, prefix } = given
  if (typeof source !== 'string') return undefined
  switch (kind) {
    case 'set':
      return isTexts(keys) && isTexts(versions) && keys.length === versions.length
        ? { kind, source, keys, versions }
        : undefined
    case 'delete':
      return isTexts(keys) ? { kind, source, keys } : undefined
    case 'clear':
      return typeof prefix === 'string' ? { kind, source, prefix } : undefined
    case 'foreign':
      if (keys === undefined) return { kind, source }
      return isTexts(keys) ? { kind, source, keys } : undefined
    default:
      return undefined
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}
