/** Settings of detection. Defaults need no tuning; docs/detection.md says where each comes from. */
export interface DetectConfig {
  /** Healthy windows a series must have before it is judged. */
  readonly warmupWindows: number;
  /** K of N judged windows open an anomaly. */
  readonly openWindows: number;
  readonly openOfWindows: number;
  /** Consecutive normal windows close it. */
  readonly closeWindows: number;
  /** Score (standard deviations or equivalent) that counts as abnormal, and the lower one that counts as normal again. */
  readonly openScore: number;
  readonly closeScore: number;
  /** Requests (or connections) a judgement needs; sparser series are pooled over up to poolWindows windows. */
  readonly minVolume: number;
  readonly poolWindows: number;
  /** Smallest effects that matter, in the metric's own unit. */
  readonly minLatencyRatio: number;
  readonly minLatencyUs: number;
  readonly minErrorRatio: number;
  readonly minErrors: number;
  readonly minTrafficDrop: number;
  readonly minRetransmitRatio: number;
  readonly minRetransmits: number;
  readonly minThrottledRatio: number;
  readonly saturationRatio: number;
  /** Quiet windows after which an incident is resolved, and windows after that in which it reopens. */
  readonly resolveWindows: number;
  readonly reopenWindows: number;
  /** Windows after a restart or deploy in which durations and CPU of that instance are not judged. */
  readonly restartWarmupWindows: number;
  /** Windows after which a stable abnormal level is taken as the new normal. */
  readonly releaseWindows: number;
}

export const DEFAULT_DETECT_CONFIG: DetectConfig = {
  warmupWindows: 12,
  openWindows: 2,
  openOfWindows: 3,
  closeWindows: 4,
  openScore: 5,
  closeScore: 2.5,
  minVolume: 10,
  poolWindows: 12,
  minLatencyRatio: 1.5,
  minLatencyUs: 3_000,
  minErrorRatio: 0.01,
  minErrors: 5,
  minTrafficDrop: 0.5,
  minRetransmitRatio: 0.005,
  minRetransmits: 5,
  minThrottledRatio: 0.1,
  saturationRatio: 0.9,
  resolveWindows: 6,
  reopenWindows: 24,
  restartWarmupWindows: 6,
  releaseWindows: 360,
};
