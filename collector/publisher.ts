/** Batches of the collector onto a bus. */
import type { Bus } from '../src/bus/index.ts';
import { topicsOf } from '../src/bus/index.ts';
import type { Encoding } from '../src/codec/index.ts';
import { encodeBatch } from '../src/codec/index.ts';
import type { AnyBatch } from '../src/model/records.ts';

/**
 * @param prefix  topic prefix, `rootwalk` by default
 * @returns for `publish` of the collector's options: encodes a batch and resolves when the bus has stored it
 */
export function busPublisher(
  bus: Bus,
  prefix = 'rootwalk',
  encoding: Encoding = 'protobuf',
): (batch: AnyBatch) => Promise<void> {
  const topics = topicsOf(prefix);
  return (batch) => bus.publish(topics.input(batch.type), encodeBatch(batch, encoding));
}
