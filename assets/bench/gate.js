/**
 * Messages to the page's program: one on its way, the newest of each kind waits its turn.
 * A message is answered when a payload arrives whose seq is at least the message's.
 *
 * A drag takes the short way: it is posted to the server, and the payload comes back without a run of the page. When
 * no drag has been made for a moment, the page is told the link of what is now on screen.
 */

const PATIENCE = 1000; // ms; after that the next message may leave unanswered
const REST = 250; // ms without a drag, after which the page is told
const ORDER = ["drag", "settled", "start", "cursor", "poll"];

export class Gate {
  /** answer(bytes) shows a payload that came the short way; cursor() says what must be exact in it. */
  constructor(answer, cursor) {
    this.answer = answer;
    this.cursor = cursor;
    this.seq = 0;
    this.answered = 0;
    this.lastDrag = 0;
    this.flying = null; // a message to the page
    this.drags = 0; // values on the short way
    this.places = [0, 1]; // of which each has its own on the server: a newer question ends an older one of its place
    this.waiting = new Map(); // channel -> {kind, body}
  }

  /** Takes the newest callbacks and the newest answer. */
  connect({ setTriggerValue, root }, header) {
    this.setTriggerValue = setTriggerValue ?? this.setTriggerValue;
    this.root = root ?? this.root;
    this.link = header.link;
    this.key = header.key;
    this.live = header.live ?? this.live;
    this.seq = Math.max(this.seq, header.seq);
    this.answered = Math.max(this.answered, header.seq);
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

  /** Whether nothing is asked, waits to be asked, or has yet to be told. */
  get idle() {
    return !this.flying && !this.drags && !this.waiting.size && !this.untold;
  }

  /** Message seq is answered, and nothing is to be shown. */
  pass(seq) {
    this.answered = Math.max(this.answered, seq);
  }

  land() {
    clearTimeout(this.flying.timer);
    this.flying = null;
  }

  pump() {
    if (this.flying || !this.waiting.size || !this.setTriggerValue) return;
    const rank = ([, message]) => ORDER.indexOf(message.kind);
    const [channel, { kind, body }] = [...this.waiting].sort((a, b) => rank(a) - rank(b))[0];
    // Of one knob's values two may be under way: the server works on one while the browser draws the other.
    if (this.drags && !(kind === "drag" && this.drags < 2 && channel === this.channel)) return;
    // Until the page has been told what a drag led to, it would answer for what was before.
    if (this.untold && kind !== "drag") return;
    this.waiting.delete(channel);
    const seq = (this.seq += 1);
    if (kind === "drag") {
      this.channel = channel;
      this.post(seq, body);
      return;
    }
    const timer = setTimeout(() => {
      this.flying = null;
      if (kind === "poll") this.send("poll", body); // the answer was lost: ask again
      this.pump();
    }, PATIENCE);
    this.flying = { seq, timer };
    this.setTriggerValue(kind, { seq, ...body, ...(kind === "settled" ? { link: this.link } : {}) });
  }

  free(place) {
    this.drags -= 1;
    this.places.push(place);
  }

  /** The short way of a drag. */
  async post(seq, drag) {
    this.drags += 1;
    const place = this.places.pop();
    this.lastDrag = seq;
    this.untold = true;
    clearTimeout(this.rest);
    try {
      const { path, owner, take } = this.live;
      const { link, key } = this;
      const body = JSON.stringify({ owner: `${owner}.${place}`, take, seq, link, key, at: this.cursor(), drag });
      const signal = AbortSignal.timeout(20 * PATIENCE);
      const response = await fetch(this.root + path, { method: "POST", body, signal });
      if (!response.ok) throw new Error(await response.text());
      const bytes = new Uint8Array(await response.arrayBuffer());
      this.free(place);
      if (seq > this.answered) this.answer(bytes);
    } catch (error) {
      console.warn("A dragged value was not answered:", error.message);
      if (!this.places.includes(place)) this.free(place);
      this.pass(seq);
    }
    this.pump();
    if (this.drags || this.waiting.has(this.channel)) return;
    this.rest = setTimeout(() => {
      this.untold = false;
      this.send("settled", {});
    }, REST);
  }
}
