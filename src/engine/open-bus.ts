/** The bus a configuration asks for. */
import type { Bus } from '../bus/index.ts';
import { EmbeddedBus } from '../bus/index.ts';
import type { BusConfig } from '../config.ts';

/** @throws {RcaError} RCA_BUS when Kafka cannot be reached */
export async function openBus(config: BusConfig): Promise<Bus> {
  if (config.kind === 'embedded') return new EmbeddedBus(config.dir === null ? {} : { dir: config.dir });
  const { KafkaBus } = await import('../bus/kafka.ts');
  const { brokers, tls, caFile, sasl } = config;
  const bus = new KafkaBus({ brokers, tls, caFile, sasl });
  await bus.connect();
  return bus;
}
