/** Ingest: decoded batches -> closed event-time windows and the series store. The public face of the stage. */
export { callColumns, tcpColumns } from './columns-of.ts';
export { DEFAULT_INGEST_CONFIG } from './config.ts';
export { contentHash } from './content-hash.ts';
export { createIngest } from './ingest.ts';
export type {
  BatchMeta,
  CompareOptions,
  DecodedBatch,
  Ingest,
  IngestConfig,
  IngestCounters,
  PushResult,
  RejectReason,
  TakeResult,
} from './types.ts';
