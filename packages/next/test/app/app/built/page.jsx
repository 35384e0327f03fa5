// A page that the build renders.
export const revalidate = 3600

export default function Page() {
  return <b id="render">{crypto.randomUUID()}</b>
}
