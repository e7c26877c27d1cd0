/** Ingest: decoded batches -> closed event-time windows and the series store. The public face of the stage. */
export type {
  BatchMeta,
  CompareOptions,
  DecodedBatch,
  Ingest,
  IngestConfig,
  IngestCounters,
  PushResult,
} from './types.ts';
