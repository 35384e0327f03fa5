import { CacheError } from '@cache/core'
import { hashText } from './hash-text.ts'

/** A function of a node. */
export type NodeFunction = (...args: never[]) => unknown

/** Bound functions, and functions of the runtime, have this text instead of their code. */
const nativeCode = /\{\s*\[native code\]\s*\}\s*$/
let warned = false

/** The hash of a version that the application states. */
export function versionHash(version: string): string {
  return `version:${hashText(version)}`
}

/**
 * The hash of a function's text. Warns once in each process: a changed helper or constant outside the function does not change the hash.
 * Throws `INVALID_ARGUMENT` for a function without a text.
 */
export function textHash(fn: NodeFunction, node: string): string {
  const text = Function.prototype.toString.call(fn)
  if (nativeCode.test(text)) {
    const message = `node '${node}': the code of its function cannot be read (a bound or native function); give the option version, or an arrow function`
    throw new CacheError('INVALID_ARGUMENT', message)
  }
  warnOnce(node)
  return `text:${hashText(text)}`
}

function warnOnce(node: string): void {
  if (warned) return
  warned = true
  const message = `node '${node}' has no version, so its code is identified by the text of its function. Changes of helpers, constants and packages that the function uses do not recompute the node. Give each node a version.`
  process.emitWarning(message, { type: 'PipelineWarning', code: 'PIPELINE_TEXT_HASH' })
}
