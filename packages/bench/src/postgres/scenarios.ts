import { Scenarios } from '../server/scenarios.ts'

/** What is under way at once stays below 50 MB: the disk is not what is measured. */
export const scenarios: Scenarios = new Scenarios(50_000_000, ['small object', '200 B'])
