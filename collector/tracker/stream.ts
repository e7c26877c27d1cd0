/**
 * One direction of a connection: cuts the events of the kernel (a captured head and a full length each) into the
 * protocol's units. Bodies are skipped by their length, captured or not. When bytes are missing where a unit should
 * begin, the stream is out of step until an event starts with a unit's head again.
 */
import type { Flow, UnitReader } from '../protocols/protocol.ts';
import { BEGIN, DESYNC, END, MAX_CARRY_BYTES, NEED_MORE, STOP } from '../protocols/protocol.ts';

/** What a stream reports to its connection. `position` counts the stream's bytes since it was first seen. */
export interface MessageListener {
  begin(flow: Flow, atMs: number, position: number): void;
  end(flow: Flow, atMs: number, position: number, mark: number): void;
  /** The stream is out of step; a message that has begun has no known end. */
  desync(flow: Flow): void;
  /** In step again: whatever was open ended with the event before this one. */
  resync(flow: Flow): void;
  /** The session has lost interest in the connection. */
  giveUp(): void;
}

/** Events are joined here when a unit's head is split over several; one at a time, so one buffer serves all. */
const JOIN_BYTES = 256 * 1024;
const join = Buffer.allocUnsafe(JOIN_BYTES);

export class Stream {
  /** Time of the last event, and of the one before. */
  lastMs = 0;
  previousMs = 0;
  position = 0;
  desynced = false;
  /** Bytes that could not be given to any message. */
  lostBytes = 0;
  readonly #flow: Flow;
  readonly #session: UnitReader;
  readonly #listener: MessageListener;
  #skip = 0;
  /** Mark of the unit that is being skipped. */
  #skipMark = 0;
  #carry: Buffer | undefined = undefined;
  #carryLength = 0;
  #carryMs = 0;

  constructor(flow: Flow, session: UnitReader, listener: MessageListener) {
    this.#flow = flow;
    this.#session = session;
    this.#listener = listener;
  }

  /** Bytes kept between events. */
  get heldBytes(): number {
    return this.#carry === undefined ? 0 : this.#carry.length;
  }

  /** True while a body is read that only the connection's end delimits. */
  get untilClose(): boolean {
    return this.#skip > 2 ** 52;
  }

  /**
   * Takes one event: `captured` bytes at `start`, of `full` that moved.
   *
   * Cost: O(captured head bytes), no allocation unless a head is split over events.
   */
  feed(bytes: Buffer, start: number, captured: number, full: number, atMs: number): void {
    let at = start;
    const end = start + captured;
    let missing = full - captured;
    this.previousMs = this.lastMs;
    this.lastMs = atMs;
    if (this.#skip > 0) {
      if (captured > 0 && this.#abandons(bytes, start, end)) this.#endSkip(atMs);
      else {
        const taken = Math.min(this.#skip, captured);
        at += taken;
        this.#skip -= taken;
        this.position += taken;
        if (this.#skip > 0) {
          const over = Math.min(this.#skip, missing);
          this.#skip -= over;
          missing -= over;
          this.position += over;
        }
        if (this.#skip > 0) return;
        this.#endSkip(atMs);
        if (at === end && missing === 0) return;
      }
    }
    if (this.desynced) {
      if (captured === 0 || !this.#session.resync(this.#flow, bytes, at, end)) {
        this.position += end - at + missing;
        this.lostBytes += end - at + missing;
        return;
      }
      this.#listener.resync(this.#flow);
      this.desynced = false;
    }
    if (this.#carryLength > 0) this.#feedJoined(bytes, at, end, missing, atMs);
    else this.#units(bytes, at, end, missing, atMs, atMs);
  }

  /** Bytes of this stream were not seen at all (a gap in the TCP sequence, a lost event). */
  gap(length: number, atMs: number): void {
    if (this.#carryLength > 0) this.#lose(0);
    this.feed(join, 0, 0, length, atMs);
  }

  /** Forgets what is half read: the next event must begin a unit. */
  #lose(bytes: number): void {
    this.lostBytes += bytes + this.#carryLength;
    this.position += bytes + this.#carryLength;
    this.#carryLength = 0;
    this.#skip = 0;
    if (!this.desynced) {
      this.desynced = true;
      this.#listener.desync(this.#flow);
    }
  }

  #abandons(bytes: Buffer, start: number, end: number): boolean {
    return this.#session.mayAbandon(this.#flow) && this.#session.resync(this.#flow, bytes, start, end);
  }

  #endSkip(atMs: number): void {
    this.#skip = 0;
    if ((this.#skipMark & END) !== 0) this.#listener.end(this.#flow, atMs, this.position, this.#skipMark);
  }

  #feedJoined(bytes: Buffer, at: number, end: number, missing: number, atMs: number): void {
    const length = this.#carryLength + end - at;
    if (length > JOIN_BYTES || this.#carry === undefined) {
      this.#lose(end - at + missing);
      return;
    }
    this.#carry.copy(join, 0, 0, this.#carryLength);
    bytes.copy(join, this.#carryLength, at, end);
    this.#carryLength = 0;
    this.#units(join, 0, length, missing, this.#carryMs, atMs);
  }

  /** Cuts [start, end) into units; `missing` bytes follow `end` unseen. `firstMs` is when the first unit began. */
  #units(bytes: Buffer, start: number, end: number, missing: number, firstMs: number, atMs: number): void {
    const session = this.#session;
    const flow = this.#flow;
    let at = start;
    let unitMs = firstMs;
    while (at < end) {
      const length = session.advance(flow, bytes, at, end, missing === 0);
      if (length === NEED_MORE) {
        this.#keep(bytes, at, end, unitMs);
        return;
      }
      const mark = session.mark;
      if ((mark & BEGIN) !== 0) this.#listener.begin(flow, unitMs, this.position);
      if (length === DESYNC) {
        if ((mark & STOP) !== 0) this.#listener.giveUp();
        else this.#lose(end - at + missing);
        return;
      }
      const left = end - at;
      if (length <= left) {
        at += length;
        this.position += length;
        if ((mark & END) !== 0) this.#listener.end(flow, atMs, this.position, mark);
      } else {
        at = end;
        const over = Math.min(length - left, missing);
        missing -= over;
        this.position += left + over;
        this.#skip = length - left - over;
        this.#skipMark = mark;
        if (this.#skip === 0) this.#endSkip(atMs);
      }
      if ((mark & STOP) !== 0) {
        this.#listener.giveUp();
        return;
      }
      unitMs = atMs;
    }
    if (missing > 0) this.#lose(missing);
  }

  #keep(bytes: Buffer, at: number, end: number, unitMs: number): void {
    const length = end - at;
    if (length > MAX_CARRY_BYTES * 4) {
      this.#lose(length);
      return;
    }
    if (this.#carry === undefined || this.#carry.length < length) {
      this.#carry = Buffer.allocUnsafe(Math.max(256, 2 ** Math.ceil(Math.log2(length))));
    }
    bytes.copy(this.#carry, 0, at, end);
    this.#carryLength = length;
    this.#carryMs = unitMs;
  }
}
