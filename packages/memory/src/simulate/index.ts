export {
  type SimulatedPolicy,
  type SimulationOptions,
  type SimulationProgress,
  type SimulationRow,
  simulatePolicies,
} from './simulate-policies.ts'
