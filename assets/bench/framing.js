/** A stream of messages: u32 length, little endian, then that many bytes. Length 0 is a heartbeat. */

import { unpack } from "./payload.js";

const PREFIX = 4; // bytes
export const PATIENCE = 20_000; // ms without a sign of life, after which an answer is given up

/** Puts messages together from chunks that are cut anywhere. */
export class Framer {
  constructor() {
    this.prefix = new Uint8Array(PREFIX);
    this.body = null; // of the message that is coming in
    this.filled = 0; // bytes of the prefix or of the body
  }

  /** The messages that this chunk completes, as bytes of their own; heartbeats are left out. */
  push(chunk) {
    const whole = [];
    for (let at = 0; at < chunk.length; ) {
      const into = this.body ?? this.prefix;
      const part = chunk.subarray(at, at + into.length - this.filled);
      into.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled < into.length) break;
      this.filled = 0;
      if (this.body) {
        whole.push(this.body);
        this.body = null;
      } else {
        const length = new DataView(this.prefix.buffer).getUint32(0, true);
        if (length) this.body = new Uint8Array(length);
      }
    }
    return whole;
  }
}

/** Reads a stream of payloads until it ends, falls silent, or take(payload, whether newest) says false. */
export async function read(response, stream, take) {
  const reader = response.body.getReader();
  const framer = new Framer();
  try {
    for (;;) {
      const silence = setTimeout(() => stream.abort(), PATIENCE);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      const messages = framer.push(value);
      for (const [i, bytes] of messages.entries())
        if (take(unpack(bytes), i === messages.length - 1) === false) return;
    }
  } finally {
    reader.cancel().catch(() => null); // it may have ended by itself
  }
}
