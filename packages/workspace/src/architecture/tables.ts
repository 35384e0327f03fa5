import type { PackageArchitecture } from './package-architecture.ts'
import { bench } from './packages/bench.ts'
import { build } from './packages/build.ts'
import { codecs } from './packages/codecs.ts'
import { core } from './packages/core.ts'
import { file } from './packages/file.ts'
import { http } from './packages/http.ts'
import { keyv } from './packages/keyv.ts'
import { layered } from './packages/layered.ts'
import { memory } from './packages/memory.ts'
import { next } from './packages/next.ts'
import { pipeline } from './packages/pipeline.ts'
import { postgres } from './packages/postgres.ts'
import { redis } from './packages/redis.ts'
import { resilient } from './packages/resilient.ts'
import { sharded } from './packages/sharded.ts'
import { testing } from './packages/testing.ts'
import { workspace } from './packages/workspace.ts'

/** The table of each package by the name of its folder in `packages`. */
export const tables: Readonly<Record<string, PackageArchitecture>> = {
  bench,
  build,
  codecs,
  core,
  file,
  http,
  keyv,
  layered,
  memory,
  next,
  pipeline,
  postgres,
  redis,
  resilient,
  sharded,
  testing,
  workspace,
}
