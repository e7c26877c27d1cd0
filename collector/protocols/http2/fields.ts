/** What is read of a header block: the few fields that name a call and its outcome. */
import { httpOperation } from '../http1/operation.ts';
import { grpcMethod } from './grpc.ts';
import type { Text } from './hpack/dynamic-table.ts';

const WANTED: ReadonlySet<string> = new Set([
  ':method',
  ':path',
  ':status',
  'content-type',
  'content-length',
  'grpc-status',
]);
const METHOD = /^[A-Z-]{1,16}$/;
const STATUS = /^\d{3}$/;
const LENGTH = /^\d{1,15}$/;
const PRINTABLE = /^[\x21-\x7e]+$/;
const MAX_OPERATIONS = 4096;
/** The operation of a request whose path is not known. */
export const UNKNOWN = '*';

export const isWanted = (name: string): boolean => WANTED.has(name);

/** Fields of one block; an absent field is undefined. One object is reused by a session. */
export class Fields {
  method: Text = undefined;
  path: Text = undefined;
  status: Text = undefined;
  contentType: Text = undefined;
  /** Bytes of the body; NaN: not said. */
  contentLength = Number.NaN;
  grpcStatus: Text = undefined;
  /** Fields were there whose name or value is not known, or the block was cut: absent ones may have been among them. */
  hasUnknown = false;

  clear(): void {
    this.method = undefined;
    this.path = undefined;
    this.status = undefined;
    this.contentType = undefined;
    this.contentLength = Number.NaN;
    this.grpcStatus = undefined;
    this.hasUnknown = false;
  }

  readonly add = (name: Text, value: Text): void => {
    if (name === undefined || value === undefined) {
      this.hasUnknown = true;
      return;
    }
    switch (name) {
      case ':method':
        this.method = value;
        break;
      case ':path':
        this.path = value;
        break;
      case ':status':
        // Of anything else there would be as many as a server likes.
        this.status = STATUS.test(value) ? value : UNKNOWN;
        break;
      case 'content-type':
        this.contentType = value;
        break;
      case 'content-length':
        this.contentLength = LENGTH.test(value) ? Number(value) : Number.NaN;
        break;
      case 'grpc-status':
        this.grpcStatus = value;
    }
  };
}

const operations = new Map<string, string>();

function remembered(key: string, make: () => string): string {
  const known = operations.get(key);
  if (known !== undefined) return known;
  if (operations.size >= MAX_OPERATIONS) operations.clear();
  const made = make();
  operations.set(key, made);
  return made;
}

/** `GET /orders/{id}`; UNKNOWN where method or path is not known. */
export function plainOperation(method: Text, path: Text): string {
  if (method === undefined || !METHOD.test(method)) return UNKNOWN;
  if (method === 'CONNECT') return method;
  if (path === undefined) return UNKNOWN;
  const query = path.indexOf('?');
  const target = query < 0 ? path : path.slice(0, query);
  return remembered(`${method} ${target}`, () => httpOperation(method, target));
}

/** `package.Service/Method`; UNKNOWN where the path is not known. */
export function grpcOperation(path: Text): string {
  if (path === undefined) return UNKNOWN;
  return remembered(path, () => (PRINTABLE.test(path) ? grpcMethod(path) : UNKNOWN));
}
