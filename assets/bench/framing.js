/** A stream of messages: u32 length, little endian, then that many bytes. Length 0 is a heartbeat. */

const PREFIX = 4; // bytes

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
