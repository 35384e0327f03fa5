import { useCache } from '../use-cache'

export default async function Page() {
  return <p>{await useCache()}</p>
}
