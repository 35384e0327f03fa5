import { cacheLife, cacheTag, updateTag } from 'next/cache'
import { connection } from 'next/server'

async function entry() {
  'use cache'
  cacheLife({ stale: 300, revalidate: 3600, expire: 86400 })
  cacheTag('entry')
  return crypto.randomUUID()
}

async function update() {
  'use server'
  updateTag('entry')
}

// A dynamic page with an entry of `'use cache'`, and an action.
export default async function Page() {
  await connection()
  return (
    <form action={update}>
      <b id="entry">{await entry()}</b>
      <button type="submit">update</button>
    </form>
  )
}
