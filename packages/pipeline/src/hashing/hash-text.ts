import { hash } from 'node:crypto'
import { isWellFormed } from '@cache/core/backend'

/** The characters of a hash: SHA-256 as base64url. */
export const hashLength = 43

/** The SHA-256 of a text. Different texts have different hashes, also where they differ in lone surrogates. */
export function hashText(text: string): string {
  if (isWellFormed(text)) return hash('sha256', text, 'base64url')
  // UTF-8 has one replacement for all lone surrogates. No UTF-8 text begins with the byte 0xff.
  return hash('sha256', Buffer.concat([Buffer.of(0xff), Buffer.from(text, 'utf16le')]), 'base64url')
}
