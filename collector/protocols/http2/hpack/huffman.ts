/**
 * HPACK's Huffman code (RFC 7541, appendix B), decoded four bits at a time by a table of states. The code is canonical:
 * codes of one length rise with their symbol, and shorter ones come first, so that the lengths alone are the table.
 */

const EOS = 256;
/** Bits of the code of each symbol 0 … 255, and of EOS. */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];

/** A step's entry: the next state in the low bits, a symbol above them where one ends; BAD where EOS does. */
const STATE_BITS = 9;
const STATE_MASK = (1 << STATE_BITS) - 1;
const HAS_SYMBOL = 1 << 17;
const BAD = -1;

interface Tables {
  /** [state << 4 | four bits] */
  readonly steps: Int32Array;
  /** 1 for states in which a string may end: on the way to EOS, by less than a byte. */
  readonly ends: Uint8Array;
}

/** The inner nodes of the code's tree are the states; -1 - symbol is a leaf. */
function tree(): number[] {
  const nodes = [0, 0];
  const symbols = CODE_BITS.map((_, symbol) => symbol).sort((a, b) => CODE_BITS[a]! - CODE_BITS[b]! || a - b);
  let code = 0;
  let bits = 0;
  for (const symbol of symbols) {
    code = code * 2 ** (CODE_BITS[symbol]! - bits);
    bits = CODE_BITS[symbol]!;
    let at = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const slot = at * 2 + ((code >>> bit) & 1);
      if (nodes[slot] === 0) {
        nodes[slot] = nodes.length / 2;
        nodes.push(0, 0);
      }
      at = nodes[slot]!;
    }
    nodes[at * 2 + (code & 1)] = -1 - symbol;
    code++;
  }
  return nodes;
}

function build(): Tables {
  const nodes = tree();
  const count = nodes.length / 2;
  const steps = new Int32Array(count * 16);
  for (let state = 0; state < count; state++) {
    for (let four = 0; four < 16; four++) {
      let at = state;
      let entry = 0;
      for (let bit = 3; bit >= 0 && entry !== BAD; bit--) {
        const next = nodes[at * 2 + ((four >> bit) & 1)]!;
        at = next < 0 ? 0 : next;
        if (next === -1 - EOS) entry = BAD;
        else if (next < 0) entry = HAS_SYMBOL | ((-1 - next) << STATE_BITS);
      }
      steps[(state << 4) | four] = entry === BAD ? BAD : entry | at;
    }
  }
  const ends = new Uint8Array(count);
  for (let bits = 0, at = 0; bits < 8; bits++, at = nodes[at * 2 + 1]!) ends[at] = 1;
  return { steps, ends };
}

const { steps, ends } = build();

/**
 * Decodes [start, end) into `out`, as far as it has room.
 *
 * @returns length of the whole decoded string, also of what found no room; -1 when it is no Huffman string
 * Cost: two table reads a byte, no allocation.
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number, out: Buffer): number {
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    let entry = steps[(state << 4) | (byte >> 4)]!;
    if (entry === BAD) return -1;
    if ((entry & HAS_SYMBOL) !== 0) {
      if (length < out.length) out[length] = (entry >> STATE_BITS) & 255;
      length++;
    }
    entry = steps[((entry & STATE_MASK) << 4) | (byte & 15)]!;
    if (entry === BAD) return -1;
    if ((entry & HAS_SYMBOL) !== 0) {
      if (length < out.length) out[length] = (entry >> STATE_BITS) & 255;
      length++;
    }
    state = entry & STATE_MASK;
  }
  return ends[state] === 1 ? length : -1;
}
