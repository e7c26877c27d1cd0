/** Batches <-> bytes. Used by the collector (encode) and by ingest's feeder (decode). */
export type { DeadLetter } from './dead-letter.ts';
export { deadLetter } from './dead-letter.ts';
export { CONTENT_TYPE_JSON, CONTENT_TYPE_PROTOBUF, decodeMessage, MAX_MESSAGE_BYTES, SCHEMA_HEADER } from './decode.ts';
export type { EncodedMessage, Encoding } from './encode.ts';
export { encodeBatch } from './encode.ts';
export { withEnvironment } from './rename.ts';
export type { DecodedBatch, DecodeResult, RejectReason } from './result.ts';
