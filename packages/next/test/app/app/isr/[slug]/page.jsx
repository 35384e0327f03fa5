// An ISR page, made at its first request, with a result of `fetch`.
export const revalidate = 3600

export function generateStaticParams() {
  return []
}

export default async function Page({ params }) {
  const { slug } = await params
  const response = await fetch(`${process.env.ORIGIN_URL}/${slug}`, { next: { tags: ['origin', `origin-${slug}`] } })
  return (
    <p>
      <b id="render">{crypto.randomUUID()}</b> <b id="data">{await response.text()}</b>
    </p>
  )
}
