/** Dimensional attribution. The public face of the stage. */
export { attribute } from './attribute.ts';
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
