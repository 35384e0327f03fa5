import { revalidatePath, revalidateTag } from 'next/cache'

export async function POST(request) {
  const { tag, profile, path } = await request.json()
  if (path !== undefined) revalidatePath(path)
  if (tag !== undefined) revalidateTag(tag, profile)
  return Response.json({ done: true })
}
