/** The channel: messages cut anywhere, drags in order, a server that goes and comes back. */

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";

import { Channel } from "../../assets/bench/channel.js";
import { Framer } from "../../assets/bench/framing.js";
import { ownerOf } from "../../assets/bench/owner.js";

/** A payload as the server packs it, without arrays unless given. */
function packed(header, arrays = {}) {
  let offset = 0;
  const parts = [];
  const listed = Object.entries(arrays).map(([name, values]) => {
    const data = Float32Array.from(values);
    const entry = { name, shape: [data.length], dtype: "float32", offset };
    offset += data.byteLength;
    parts.push(new Uint8Array(data.buffer));
    return entry;
  });
  let text = JSON.stringify({ kept: [], lanes: [], ...header, arrays: listed });
  text += " ".repeat((4 - (text.length % 4)) % 4);
  const bytes = new Uint8Array(4 + text.length + offset);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(new TextEncoder().encode(text), 4);
  let at = 4 + text.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Messages as one piece of the stream. */
function framed(...messages) {
  const bytes = new Uint8Array(messages.reduce((sum, message) => sum + 4 + message.length, 0));
  let at = 0;
  for (const message of messages) {
    new DataView(bytes.buffer).setUint32(at, message.length, true);
    bytes.set(message, at + 4);
    at += 4 + message.length;
  }
  return bytes;
}

const run = (link, state, more = {}) =>
  packed({ link, key: "k", seq: 0, status: { state, progress: state === "done" ? 1 : 0.5 }, ...more });

/** Lets everything that waits for promises go on. */
const breathe = async () => {
  for (let i = 0; i < 20; i += 1) await new Promise((done) => setImmediate(done));
};

/** A server that is told what to answer, and a bench that remembers what it hears. */
class Scene {
  constructor() {
    this.asked = []; // {address, body, answer(...chunks), refuse(status, words), fail(), aborted}
    this.heard = [];
    this.told = [];
    this.channel = new Channel("me", this, (address, { body, signal }) => this.fetch(address, JSON.parse(body), signal));
    this.component = { root: "/app/", setTriggerValue: (name, value) => this.told.push([name, value]) };
  }
  fetch(address, body, signal) {
    return new Promise((done, failed) => {
      let stream = null;
      const request = { address, body, aborted: false };
      const ok = () => {
        if (stream) return;
        const readable = new ReadableStream({ start: (control) => (stream = control) });
        done({ ok: true, status: 200, body: readable, json: async () => ({ lanes: [] }) });
      };
      request.answer = (...chunks) => {
        ok();
        chunks.forEach((chunk) => stream.enqueue(chunk));
      };
      request.end = () => {
        ok();
        if (!request.aborted) stream.close();
      };
      request.refuse = (status, words) => done({ ok: false, status, text: async () => words });
      request.fail = () => failed(new TypeError("connection refused"));
      signal?.addEventListener("abort", () => {
        request.aborted = true;
        failed(new Error("aborted"));
        stream?.error(new Error("aborted"));
      });
      this.asked.push(request);
    });
  }
  take(picture, short) {
    this.heard.push([picture.header.link, short]);
  }
  connection(state) {
    this.heard.push(state);
  }
  refused(sentence) {
    this.heard.push(`refused: ${sentence}`);
  }
  answer(answer) {
    this.heard.push(answer);
  }
  changed() {}
  looked() {
    return { at: null, panels: [] };
  }
  get last() {
    return this.asked.at(-1);
  }
  /** A run that is done is shown. */
  async settle(link = "a") {
    this.channel.mount(this.component, { link, take: 0, channel: "lab" });
    this.last.answer(framed(run(link, "done")));
    this.last.end();
    await breathe();
    this.heard = [];
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("messages are whole wherever the stream is cut", () => {
  const messages = [Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.from({ length: 700 }, (_, i) => i % 256)];
  const stream = framed(...messages);
  for (const size of [1, 2, 3, 5, 64, stream.length]) {
    const framer = new Framer();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...framer.push(stream.subarray(at, at + size)));
    assert.deepEqual(found, [messages[0], messages[2]], `chunks of ${size}`); // a heartbeat is no message
  }
});

test("a run is followed to its end, and of a chunk's pictures the newest is shown", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 3, channel: "lab" });
  const { body, address } = scene.last;
  assert.equal(address, "/app/lab/run");
  assert.deepEqual([body.owner, body.link, body.take, body.edit, body.key, body.go], ["me", "a", 3, null, null, false]);
  assert.equal(scene.channel.idle, false);
  scene.last.answer(framed(run("a", "running"), run("a", "running")));
  await breathe();
  assert.deepEqual(scene.heard, ["open", ["a", false]]);
  scene.last.answer(framed(run("a", "done")));
  scene.last.end();
  await breathe();
  assert.equal(scene.heard.length, 3);
  assert.equal(scene.asked.length, 1);
  assert.equal(scene.channel.idle, true);
});

test("arrays that did not travel are taken from the picture that the question was about", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 0, channel: "lab" });
  scene.last.answer(framed(packed({ link: "a", key: "k", status: { state: "done" } }, { z: [1, 2] })));
  scene.last.end();
  await breathe();
  scene.channel.edit("rate", { edits: [] });
  scene.last.answer(framed(packed({ link: "b", key: "k", kept: ["z"], status: { state: "done" } }, { y: [3] })));
  await breathe();
  assert.deepEqual([...scene.channel.picture.arrays.z.data], [1, 2]);
  assert.deepEqual([...scene.channel.picture.arrays.y.data], [3]);
});

test("two drags of a knob are under way, the newest value waits, an answer that comes too late is dropped", async () => {
  const scene = new Scene();
  await scene.settle();
  for (const value of [1, 2, 3, 4]) scene.channel.edit("rate", { edits: [{ key: "rate", value, lane: 0 }] });
  const [, first, second] = scene.asked;
  assert.equal(scene.asked.length, 3);
  assert.deepEqual([first.body.owner, second.body.owner].sort(), ["me.0", "me.1"]);
  second.answer(framed(run("two", "done")));
  second.end();
  await breathe();
  assert.equal(scene.asked.length, 4);
  assert.equal(scene.last.body.edit.edits[0].value, 4); // 3 never left
  assert.equal(scene.last.body.link, "two");
  first.answer(framed(run("one", "done")));
  first.end();
  scene.last.answer(framed(run("four", "done")));
  scene.last.end();
  await breathe();
  assert.deepEqual(scene.heard, [["two", true], ["four", true]]);
  assert.deepEqual(scene.told, []);
  mock.timers.tick(250);
  assert.deepEqual(scene.told.map(([name, { link }]) => [name, link]), [["settled", "four"]]);
  assert.deepEqual([scene.last.body.link, scene.last.body.owner, scene.last.body.edit], ["four", "me", null]);
});

test("another knob waits until the one before is answered, since an edit is about what is shown", async () => {
  const scene = new Scene();
  await scene.settle();
  scene.channel.edit("rate", { edits: [1] });
  scene.channel.edit("momentum", { edits: [2] });
  assert.equal(scene.asked.length, 2);
  scene.last.answer(framed(run("b", "done")));
  scene.last.end();
  await breathe();
  assert.deepEqual([scene.last.body.link, scene.last.body.edit.edits], ["b", [2]]);
});

test("of a dragged run that goes on the first picture is taken and the rest is left", async () => {
  const scene = new Scene();
  await scene.settle();
  scene.channel.edit("rate", { edits: [] });
  scene.last.answer(framed(run("b", "running")));
  await breathe();
  assert.deepEqual(scene.heard, [["b", true]]);
  assert.equal(scene.channel.dragging, false);
});

test("a page that repeats what it was told changes nothing; another link is followed", async () => {
  const scene = new Scene();
  await scene.settle("a");
  const drag = async (link) => {
    scene.channel.edit("rate", { edits: [] });
    scene.last.answer(framed(run(link, "done")));
    scene.last.end();
    await breathe();
    mock.timers.tick(250);
    scene.last.answer(framed(run(link, "done")));
    scene.last.end();
    await breathe();
  };
  await drag("b");
  await drag("c");
  const asked = scene.asked.length;
  scene.channel.mount(scene.component, { link: "b", take: 0, channel: "lab" }); // late news
  scene.channel.mount(scene.component, { link: "b", take: 0, channel: "lab" }); // drawn again, for another reason
  scene.channel.mount(scene.component, { link: "c", take: 0, channel: "lab" });
  assert.equal(scene.asked.length, asked);
  assert.equal(scene.channel.picture.header.link, "c");
  scene.channel.mount(scene.component, { link: "b", take: 0, channel: "lab" }); // chosen on the page
  assert.equal(scene.asked.length, asked + 1);
  assert.equal(scene.last.body.link, "b");
  scene.channel.mount(scene.component, { link: "b", take: 1, channel: "lab" }); // opened once more
  assert.equal(scene.asked.length, asked + 2);
});

test("a server that goes is asked again, ever more rarely, and the run is taken up", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 0, channel: "lab" });
  scene.last.answer(framed(run("a", "running")));
  await breathe();
  scene.last.end(); // in the middle of a run
  await breathe();
  assert.deepEqual(scene.heard, ["open", ["a", false]]); // a hiccup is not spoken of
  for (const wait of [500, 1000, 2000]) {
    const before = scene.asked.length;
    mock.timers.tick(wait - 1);
    assert.equal(scene.asked.length, before);
    mock.timers.tick(1);
    assert.equal(scene.asked.length, before + 1);
    scene.last.fail();
    await breathe();
  }
  assert.equal(scene.heard.at(-1), "lost");
  mock.timers.tick(4000);
  assert.equal(scene.last.body.key, "k"); // what is there need not travel again
  scene.last.answer(framed(run("a", "running")));
  await breathe();
  assert.equal(scene.heard.at(-2), "open");
});

test("a server that has forgotten the run is noticed", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 0, channel: "lab" });
  scene.last.answer(framed(run("a", "running")));
  await breathe();
  scene.last.end();
  await breathe();
  mock.timers.tick(500);
  scene.last.answer(framed(run("a", "waiting", { status: { state: "waiting", progress: 0, estimate: 40 } })));
  scene.last.end();
  await breathe();
  assert.ok(scene.heard.includes("restarted"));
  scene.channel.go();
  assert.equal(scene.last.body.go, true);
});

test("silence is taken for a lost server, heartbeats are not", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 0, channel: "lab" });
  scene.last.answer(framed(run("a", "running")));
  await breathe();
  for (let i = 0; i < 3; i += 1) {
    mock.timers.tick(15_000);
    scene.last.answer(framed(new Uint8Array(0)));
    await breathe();
  }
  assert.equal(scene.asked[0].aborted, false);
  mock.timers.tick(20_000);
  await breathe();
  assert.equal(scene.asked[0].aborted, true);
});

test("a refusal is said in the server's words and not asked again", async () => {
  const scene = new Scene();
  scene.channel.mount(scene.component, { link: "a", take: 0, channel: "lab" });
  scene.last.refuse(400, "given 7; expected less");
  await breathe();
  mock.timers.tick(60_000);
  assert.deepEqual(scene.heard, ["refused: given 7; expected less"]);
  assert.equal(scene.asked.length, 1);
});

test("a reload keeps the owner, a duplicated tab gets another", () => {
  const tab = () => {
    const listeners = {};
    return { addEventListener: (name, then) => (listeners[name] = then), leave: () => listeners.pagehide() };
  };
  const storage = (items = new Map()) => ({
    items,
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
  });
  const [own, page] = [storage(), tab()];
  const owner = ownerOf(own, page);
  assert.match(owner, /^[0-9a-f]{32}$/);
  assert.notEqual(ownerOf(storage(new Map(own.items)), tab()), owner);
  page.leave();
  assert.equal(ownerOf(own, tab()), owner);
  assert.match(ownerOf(null, tab()), /^[0-9a-f]{32}$/);
});

test("a hand that came to rest before the page stood is told to it as soon as it stands", async () => {
  const scene = new Scene();
  const { setTriggerValue } = scene.component;
  scene.component.setTriggerValue = null;
  await scene.settle("a");
  scene.channel.edit("rate", { edits: [] });
  scene.last.answer(framed(run("b", "done")));
  scene.last.end();
  await breathe();
  mock.timers.tick(250);
  scene.last.answer(framed(run("b", "done")));
  scene.last.end();
  await breathe();
  const asked = scene.asked.length;
  scene.component.setTriggerValue = setTriggerValue;
  for (const link of ["a", "a", "b"]) scene.channel.mount(scene.component, { link, take: 0, channel: "lab" });
  assert.deepEqual(scene.told.map(([name, { link }]) => [name, link]), [["settled", "b"]]);
  assert.equal(scene.asked.length, asked);
  assert.equal(scene.channel.picture.header.link, "b");
});
