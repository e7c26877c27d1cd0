/** Messages of DNS, put together by hand. */

export interface MessageParts {
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: number;
  readonly answers?: number;
}

/** A name as on the wire. */
export function wireName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}

/** Header and question; what follows them is not looked at. */
export function message(name: string, type: number, parts: MessageParts = {}): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(parts.id ?? 7, 0);
  header.writeUInt16BE(parts.flags ?? 0x0100, 2);
  header.writeUInt16BE(parts.questions ?? 1, 4);
  header.writeUInt16BE(parts.answers ?? 0, 6);
  const end = Buffer.alloc(4);
  end.writeUInt16BE(type, 0);
  end.writeUInt16BE(1, 2);
  return Buffer.concat([header, wireName(name), end]);
}

export const A = 1;
export const PTR = 12;
export const AAAA = 28;

export const question = (name: string, id = 7, type = A): Buffer => message(name, type, { id });

/** An answer with this rcode; NOERROR has a record unless told otherwise. */
export const answer = (name: string, rcode = 0, id = 7, type = A, answers = rcode === 0 ? 1 : 0): Buffer =>
  message(name, type, { id, flags: 0x8180 | rcode, answers });
