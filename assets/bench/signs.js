/** Says on the bench's root element what goes on, for who watches from outside: tests, and the style. */

/**
 * Writes the signs that have changed.
 *
 * data-seq: the newest question. data-painted: the question that what is drawn answers; -1: nothing is drawn yet.
 * data-state: "busy" while something is asked, waits to be told to the page, or is still to be drawn, else "idle".
 * data-status: the run's state, or "lost". data-link: the experiment that is shown. data-stale: whether the curves are
 * those of the run before.
 */
export function sign(root, { picture, painted, connection, stale, channel, held }) {
  const told = {
    seq: channel.seq,
    painted: painted?.header.seq ?? -1,
    state: picture !== painted || held || !channel.idle ? "busy" : "idle",
    status: connection === "lost" ? "lost" : (picture?.header.status.state ?? "waiting"),
    link: picture?.header.link ?? "",
    stale,
  };
  for (const [name, value] of Object.entries(told))
    if (root.dataset[name] !== String(value)) root.dataset[name] = String(value);
}
