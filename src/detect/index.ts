/** Detection: series of closed windows -> anomalies -> incidents. The public face of the stage. */
export { DEFAULT_DETECT_CONFIG } from './config.ts';
export type { DetectConfig, Detector } from './types.ts';
