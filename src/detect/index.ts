/** Detection: series of closed windows -> anomalies -> incidents. The public face of the stage. */
export { DEFAULT_DETECT_CONFIG } from './config.ts';
export { createDetector } from './detector.ts';
export type { CurveVerdict } from './season.ts';
export { SeasonalGauge } from './season.ts';
export type { DetectConfig, Detector } from './types.ts';
