import { contenders, type MakeContender } from '../server/contender.ts'
import { scenarios } from './scenarios.ts'

export const contender: MakeContender = contenders(scenarios, empty)

export async function empty(url: string): Promise<void> {
  const { Redis } = await import('ioredis')
  const redis = new Redis(url)
  await redis.flushall()
  redis.disconnect()
}
