/** For tools that show a running cache: keys, entries, figures, and what is used most. */
export { type InspectedEntry, Inspection, type InspectOptions, inspect } from './inspection.ts'
export type { Figures, LayerFigures } from './layers.ts'
export type { HotKey, InvalidatedTag, NamespaceFigures, Observation, SlowLoad } from './observation.ts'
export type { KeyPage, NamespacePage, PageOptions } from './pages.ts'
