import { type FieldList, fieldOf } from './fields.ts'

/** One response has at most this many tags: each is a record of the cache that a hit compares. */
const mostTags = 64

/** The tags of a response: `Cache-Tag` separates them by commas, `Surrogate-Key` by spaces. */
export function responseTags(fields: FieldList): readonly string[] | undefined {
  const listed = fieldOf(fields, 'cache-tag')?.split(',') ?? []
  const keys = fieldOf(fields, 'surrogate-key')?.split(/[\s,]+/) ?? []
  const tags = new Set([...listed, ...keys].map((tag) => tag.trim()).filter((tag) => tag !== ''))
  return tags.size > mostTags ? undefined : [...tags]
}
