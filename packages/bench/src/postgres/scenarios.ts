import { Scenarios } from '../server/scenarios.ts'

/** Requests under way stay below 50 MB, so that the disk is not measured. */
export const scenarios: Scenarios = new Scenarios(50_000_000, ['small object', '200 B'])
