/** What other batches would say where the cursor rests: the server is asked, once. */

const REST = 200; // ms the cursor must rest

/** Makes what asks; rest() says that the cursor has come to rest. @param {import("./bench.js").Bench} bench */
export function createQuestions(bench) {
  let timer = 0;
  let asked = ""; // the newest question

  function ask() {
    const { touched, playing, short, stale, records, lanes } = bench.state;
    if (!touched && !bench.reduced) return; // a first look shows the bare paths
    if (playing || short || stale || !bench.channel.idle || !bench.root.isConnected) return;
    if (bench.header?.status.state !== "done" || !lanes.some((lane) => lane.theta)) return;
    const question = JSON.stringify([bench.header.link, bench.header.key, records]);
    if (question === asked || lanes.every((_, i) => bench.cursorInfo(i))) return;
    asked = question;
    bench.channel.ask(records);
  }

  return {
    rest() {
      clearTimeout(timer);
      timer = setTimeout(ask, REST);
    },
  };
}
