/** Asks a Kafka broker over its wire protocol whether it answers with metadata: no client library needed. */
import { connect } from 'node:net';

const METADATA_KEY = 3;
const METADATA_VERSION = 1;
const CORRELATION = 77;

/** Metadata v1 for no topic: length, key, version, correlation id, null client id, empty topic list. */
function metadataRequest(): Buffer {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0);
  request.writeInt16BE(METADATA_KEY, 4);
  request.writeInt16BE(METADATA_VERSION, 6);
  request.writeInt32BE(CORRELATION, 8);
  request.writeInt16BE(-1, 12);
  request.writeInt32BE(0, 14);
  return request;
}

/**
 * @param timeoutMs for connecting and the answer together
 * @returns how many brokers the answer lists; 0 when the broker does not (yet) answer
 */
export function brokersKnown(host: string, port: number, timeoutMs: number): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let received = Buffer.alloc(0);
    const finish = (count: number): void => {
      socket.destroy();
      resolve(count);
    };
    socket.setTimeout(timeoutMs, () => finish(0));
    socket.on('error', () => finish(0));
    socket.on('close', () => resolve(0));
    socket.on('connect', () => socket.write(metadataRequest()));
    socket.on('data', (piece) => {
      received = Buffer.concat([received, piece]);
      if (received.length < 12 || received.length < 4 + received.readInt32BE(0)) return;
      finish(received.readInt32BE(4) === CORRELATION ? received.readInt32BE(8) : 0);
    });
  });
}
