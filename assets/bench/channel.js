/**
 * The way to the server: a run is followed as a stream of pictures, knobs are dragged, questions are asked.
 *
 * There is one channel a browser tab. It lives as long as the tab and goes on reading while another page of the app is
 * shown. Streamlit's script hears of a drag only when the hand has come to rest.
 */

import { PATIENCE, read } from "./framing.js";
import { completed } from "./payload.js";

const REST = 250; // ms without a drag, after which the page is told
const ECHO = 1000; // ms that the page may take to say that it has heard
const PLACES = [0, 1]; // drags under way; on the server a newer one ends an older one of its place
const BUSY = 429; // the server's answer where it has too much to do
const FIRST = 500; // ms until a lost server is asked again; twice as long each time ...
const LONGEST = 8000; // ms ... up to this
const OVER = new Set(["done", "failed", "paused", "waiting"]); // a stream that ends with these is not lost

/** A server's "no", in its own words. */
class Refusal extends Error {}

export class Channel {
  /**
   * @param owner the id that this tab alone knows.
   * @param listener hears {take(picture, short), connection(state), refused(sentence), answer(cursor), changed()}, and
   *   is asked what is looked() at: {at: [clock, time], or null at the end, panels: their names}.
   * @param fetch the browser's.
   */
  constructor(owner, listener, fetch) {
    this.owner = owner;
    this.listener = listener;
    this.fetch = fetch;
    this.root = ""; // the address below which the server answers
    this.tell = null; // hands a message to the page's script
    this.untellable = null; // what it is to be told as soon as there is one
    this.page = null; // what the page asked for last: {link, take}
    this.told = []; // links that the page was told and has not asked for since
    this.run = null; // the run that is followed: {link, take, go}
    this.picture = null; // the newest payload, complete
    this.stream = null; // aborts the answer that is being read
    this.opening = false; // the first picture of a run is on its way
    this.attempts = 0; // to reach a server that is gone
    this.retry = 0; // timer
    this.seq = 0; // of the newest question
    this.answered = 0; // the newest question that was answered
    this.waiting = new Map(); // edits that have not left yet: kind -> edit
    this.places = [...PLACES];
    this.kind = ""; // of the edits under way
    this.untold = false; // the page does not know of an edit yet
    this.rest = 0; // timer
    this.echo = 0; // timer
    this.asking = false; // about the cursor
    this.question = null; // the next to be asked about it
  }

  /** Whether nothing is asked, waits to be asked, or has yet to be told. */
  get idle() {
    return !this.opening && !this.dragging && !this.untold && !this.echo && !this.asking;
  }

  /** Whether an edit is still on its way. */
  get dragging() {
    return this.waiting.size > 0 || this.places.length < PLACES.length;
  }

  /** The page was drawn: follows what it asks for, unless it only repeats what it was told. */
  mount({ root, setTriggerValue }, { link, take, channel }) {
    this.root = `${root ?? ""}${channel}/`;
    this.tell = setTriggerValue ?? this.tell;
    if (this.untellable && this.tell) this.say(this.untellable);
    const heard = this.told.indexOf(link);
    this.told.splice(0, heard + 1);
    if (heard >= 0) this.heard();
    const before = this.page;
    this.page = { link, take };
    if (before && before.take === take && (heard >= 0 || before.link === link)) return;
    if (this.run?.link === link && this.run.take === take) return;
    this.waiting.clear();
    this.told = [];
    this.untold = false;
    clearTimeout(this.rest);
    this.follow({ link, take, go: false });
  }

  heard() {
    clearTimeout(this.echo);
    this.echo = 0;
    this.listener.changed();
  }

  /** Follows a run from now on. */
  follow(run) {
    this.run = run;
    this.attempts = 0;
    this.open();
  }

  /** Starts a run that waits for it, or goes on with one that pauses or was lost. */
  go() {
    if (this.run) this.follow({ ...this.run, go: true });
  }

  /** Other panels are looked at: asks for what they show. */
  look() {
    if (this.run && !this.dragging && !this.untold) this.follow({ ...this.run, go: false });
  }

  /** Asks the server to pause the run; it keeps what it has. */
  pause() {
    this.post("pause", { owner: this.owner }).catch((error) => this.listener.refused(error.message));
  }

  close() {
    const stream = this.stream;
    this.stream = null;
    this.opening = false;
    clearTimeout(this.retry);
    stream?.abort();
  }

  async open() {
    this.close();
    const stream = (this.stream = new AbortController());
    const { link, go } = this.run;
    const seq = (this.seq += 1);
    let had = this.picture?.header.link === link ? this.picture : null;
    const reached = had && this.attempts ? had.header.status : null; // before the server was lost
    let state = "";
    this.opening = true;
    this.listener.changed();
    try {
      const response = await this.post("run", this.asked(seq, had, { link, go }), stream.signal);
      this.run = { ...this.run, go: false };
      await read(response, stream, (payload, newest) => {
        if (this.stream !== stream) return false;
        const { kind, status } = payload.header;
        if (!state) this.reached(reached, status);
        ({ state } = status);
        if (kind === "failure") return this.listener.refused(status.message);
        had = this.show(payload, had, seq, { short: false, quiet: !newest });
        if (!had) this.picture = null; // what it builds on is gone: asks for all of it
        return Boolean(had);
      });
      if (!had) state = "";
    } catch (error) {
      if (this.stream !== stream) return;
      if (error instanceof Refusal) {
        this.close();
        this.listener.refused(error.message);
        return;
      }
    }
    if (this.stream !== stream) return;
    this.close();
    if (!OVER.has(state)) this.lost();
  }

  /** The server is here (again): says whether it has forgotten how far the run had come. */
  reached(before, now) {
    this.opening = false;
    this.attempts = 0;
    const forgotten = before?.state === "running" && now.state !== "done" && now.progress < before.progress;
    this.listener.connection(forgotten ? "restarted" : "open");
  }

  lost() {
    this.attempts += 1;
    if (this.attempts > 1) this.listener.connection("lost");
    this.retry = setTimeout(() => this.open(), Math.min(LONGEST, FIRST * 2 ** (this.attempts - 1)));
  }

  /**
   * Changes the experiment that is shown. An edit of the same kind that has not left yet is replaced.
   *
   * @param kind edits of one kind replace each other: those of one knob in the same lanes.
   * @param {{edits: {key: string, value: number, lane: number}[]} | {start: number[]}} edit What changes.
   */
  edit(kind, edit) {
    this.close(); // the run of what was shown before is wanted no longer
    clearTimeout(this.rest);
    this.question = null; // it was about the old run
    this.untold = true;
    this.waiting.set(kind, edit);
    this.pump();
  }

  pump() {
    if (!this.waiting.size || !this.places.length) return;
    const [[kind, edit]] = this.waiting;
    // Of one knob's values two may be under way: the server works on one while the browser draws the other.
    if (this.places.length < PLACES.length && kind !== this.kind) return;
    this.waiting.delete(kind);
    this.kind = kind;
    this.drag(edit);
  }

  async drag(edit) {
    const place = this.places.pop();
    const seq = (this.seq += 1);
    const had = this.picture;
    const link = had?.header.link ?? this.run.link;
    const body = { ...this.asked(seq, had, { link, go: false }), owner: `${this.owner}.${place}`, edit };
    const stream = new AbortController();
    const timer = setTimeout(() => stream.abort(), PATIENCE);
    try {
      const response = await this.post("run", body, stream.signal);
      await read(response, stream, (payload) => {
        const wanted = payload.header.kind !== "failure" && seq > this.answered && this.untold;
        if (wanted) this.show(payload, had, seq, { short: true, quiet: false });
        return OVER.has(payload.header.status.state); // while the thumb moves the first picture is enough
      });
    } catch (error) {
      if (error instanceof Refusal) this.listener.refused(error.message);
      else console.warn("An edit was not answered:", error.message);
    }
    clearTimeout(timer);
    this.places.push(place);
    this.pump();
    this.listener.changed();
    if (this.dragging || !this.untold) return;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.settle(), REST);
  }

  /** The hand has come to rest: the page is told, and the whole of the run is asked for. */
  settle() {
    const link = this.picture?.header.link ?? this.run.link;
    this.untold = false;
    this.told.push(link);
    this.heard();
    this.echo = setTimeout(() => this.heard(), ECHO);
    this.say({ link, seq: this.seq });
    this.follow({ ...this.run, link, go: false });
  }

  /** Tells the page's script; later, if there is none yet. */
  say(settled) {
    this.untellable = this.tell ? null : settled;
    this.tell?.("settled", settled);
  }

  /** Asks what other batches would say at these records, one of each lane. */
  async ask(indices) {
    this.question = indices;
    if (this.asking) return;
    this.asking = true;
    while (this.question) {
      const question = { owner: this.owner, link: this.picture.header.link, indices: this.question };
      this.question = null;
      try {
        const response = await this.post("cursor", question);
        this.listener.answer({ ...question, ...(await response.json()) });
      } catch {
        // overtaken by a newer question, or the server is busy: the picture stands without it
      }
    }
    this.asking = false;
    this.listener.changed();
  }

  /** What every question about a run says. */
  asked(seq, had, { link, go }) {
    const { owner, run, listener } = this;
    const { key = null, problem } = had?.header ?? {};
    const window = problem?.view ?? null; // what is drawn in another one has to travel
    return { owner, link, seq, take: run.take, key, window, ...listener.looked(), edit: null, go };
  }

  async post(address, body, signal) {
    const headers = { "Content-Type": "application/json" };
    const response = await this.fetch(this.root + address, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal,
    });
    if (response.ok) return response;
    const words = await response.text();
    throw response.status < 500 && response.status !== BUSY ? new Refusal(words) : new Error(words);
  }

  /** Keeps a picture and hands it on; null where what it builds on is gone. */
  show(payload, had, seq, { short, quiet }) {
    const picture = completed(payload, had);
    if (!picture) return null;
    this.answered = seq;
    this.picture = picture;
    if (!quiet) this.listener.take(picture, short);
    return picture;
  }
}
