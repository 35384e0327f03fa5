import { hashLength } from '../hashing/hash-text.ts'

/** The version of the stored records and of the keys. Another version reads none of them. */
export const storageFormat = 1

/** The hashes of everything that the result of a node depends on. */
export interface NodeParts {
  readonly code: string
  readonly env: string
  /** By the name that the function sees. */
  readonly inputs: Readonly<Record<string, string>>
  readonly deps: Readonly<Record<string, string>>
}

/** The record of a result, which is stored apart from the result. */
export interface ResultRecord {
  readonly format: number
  /** The hash of the result, under which its blob is stored. */
  readonly hash: string
  /** About the size of the result. */
  readonly bytes: number
  /** How long the function ran. */
  readonly ms: number
}

/** The record of a node. */
export interface NodeRecord extends ResultRecord, NodeParts {
  readonly node: string
  /** The number of results of a map. Their hashes are stored as a list under `hash`. */
  readonly items?: number
}

export function isResultRecord(value: unknown): value is ResultRecord {
  if (typeof value !== 'object' || value === null) return false
  const { format, hash, bytes, ms } = value as Partial<Record<keyof ResultRecord, unknown>>
  return (
    format === storageFormat &&
    typeof hash === 'string' &&
    hash.length === hashLength &&
    typeof bytes === 'number' &&
    typeof ms === 'number'
  )
}

export function isNodeRecord(value: unknown): value is NodeRecord {
  if (!isResultRecord(value)) return false
  const { node, code, env, inputs, deps, items } = value as Partial<Record<keyof NodeRecord, unknown>>
  return (
    typeof node === 'string' &&
    typeof code === 'string' &&
    typeof env === 'string' &&
    isTexts(inputs) &&
    isTexts(deps) &&
    (items === undefined || Number.isInteger(items))
  )
}

function isTexts(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string')
}
