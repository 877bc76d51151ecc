/**
 * Messages to the page's program: one in flight, the newest of each kind waits its turn.
 * A message is answered when a payload arrives whose seq is at least the message's.
 */

const PATIENCE = 1000; // ms; after that the next message may leave unanswered
const ORDER = ["drag", "start", "cursor", "poll"];

export class Gate {
  constructor() {
    this.seq = 0;
    this.answered = 0;
    this.lastDrag = 0;
    this.flying = null;
    this.waiting = new Map(); // channel -> {kind, body}
  }

  /** Takes the newest callbacks and the newest answer. */
  connect({ setStateValue, setTriggerValue }, seq) {
    this.setStateValue = setStateValue;
    this.setTriggerValue = setTriggerValue;
    this.seq = Math.max(this.seq, seq);
    this.answered = Math.max(this.answered, seq);
    if (this.flying && this.answered >= this.flying.seq) this.land();
    this.pump();
  }

  /** Queues a message; an older one of the same channel that has not left yet is replaced. */
  send(kind, body, channel = kind) {
    if (kind === "drag" || kind === "start") this.waiting.delete("cursor"); // it asked about the old run
    this.waiting.set(channel, { kind, body });
    this.pump();
  }

  /** Whether a dragged value is still on its way. */
  get dragging() {
    return this.answered < this.lastDrag || [...this.waiting.values()].some((message) => message.kind === "drag");
  }

  land() {
    clearTimeout(this.flying.timer);
    this.flying = null;
  }

  pump() {
    if (this.flying || !this.waiting.size || !this.setTriggerValue) return;
    const rank = ([, message]) => ORDER.indexOf(message.kind);
    const [channel, { kind, body }] = [...this.waiting].sort((a, b) => rank(a) - rank(b))[0];
    this.waiting.delete(channel);
    const seq = (this.seq += 1);
    const timer = setTimeout(() => {
      this.flying = null;
      if (kind === "poll") this.send("poll", body); // the answer was lost: ask again
      this.pump();
    }, PATIENCE);
    this.flying = { seq, timer };
    if (kind === "drag") {
      this.lastDrag = seq;
      this.setStateValue("drag", { seq, ...body });
    } else {
      this.setTriggerValue(kind, { seq, ...body });
    }
  }
}
