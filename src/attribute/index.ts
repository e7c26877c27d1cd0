/** Dimensional attribution. The public face of the stage. */
export { attribute } from './attribute.ts';
export type { Explanation } from './explain.ts';
export { explain } from './explain.ts';
export type { Noise } from './noise.ts';
export { COUNT_DISPERSION } from './noise.ts';
export { parseLeaves } from './read-csv.ts';
export type {
  AttributedElement,
  AttributionResult,
  AttributionVerdict,
  DimensionDrillDown,
  LeafTable,
  Measure,
} from './types.ts';
export { MEASURES } from './types.ts';
