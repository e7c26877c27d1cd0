/** Compression codecs that kafkajs leaves to its users, so that messages of any producer can be read. */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressFrameSync, decompressFrameSync } from 'lz4-napi';
import { compress as snappyCompress, uncompress as snappyUncompress } from 'snappyjs';

interface Encoder {
  readonly buffer: Buffer;
}

export interface Codec {
  compress(encoder: Encoder): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

export const zstdCodec = (): Codec => ({
  compress: (encoder) => Promise.resolve(zstdCompressSync(encoder.buffer)),
  decompress: (buffer) => Promise.resolve(zstdDecompressSync(buffer)),
});

export const lz4Codec = (): Codec => ({
  compress: (encoder) => Promise.resolve(compressFrameSync(encoder.buffer)),
  decompress: (buffer) => Promise.resolve(decompressFrameSync(buffer)),
});

/** Java clients wrap snappy blocks in a stream of their own (xerial); librdkafka sends one plain block. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEADER_BYTES = 16;

export const snappyCodec = (): Codec => ({
  compress: (encoder) => Promise.resolve(snappyCompress(encoder.buffer)),
  decompress: (buffer) => Promise.resolve(unpackSnappy(buffer)),
});

function unpackSnappy(buffer: Buffer): Buffer {
  if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappyUncompress(buffer);
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER_BYTES;
  while (at + 4 <= buffer.length) {
    const length = buffer.readUInt32BE(at);
    blocks.push(snappyUncompress(buffer.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(blocks);
}
