import { Scenarios } from '../server/scenarios.ts'

/** A thousand batches of a hundred values of 200 KB would be twenty gigabytes at once. */
export const scenarios: Scenarios = new Scenarios(250_000_000, ['integer', 'small object'])
