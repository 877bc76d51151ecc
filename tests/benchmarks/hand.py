"""What a hand does on the bench, as scripts that run in the page: without the cost of a driver that moves a mouse.

The hand has the first handle of a knob that can be moved.
"""

# turn: the thumb moves 60 times a second for so many ms, then lets go.
_HAND = """
  const handleOf = name => document.querySelector(`.mb-knob[aria-label="${name}"] input:not([aria-disabled])`);
  const turn = (handle, ms) => new Promise(done => {
    const begun = performance.now();
    handle.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    const timer = setInterval(() => {
      const passed = performance.now() - begun;
      handle.value = 0.3 + 0.3 * Math.abs(Math.sin(passed / 1000)) + 0.0001 * Math.random();
      handle.dispatchEvent(new Event("input", { bubbles: true }));
      if (passed < ms) return;
      clearInterval(timer);
      handle.dispatchEvent(new PointerEvent("pointerup", { bubbles: true }));
      done(passed);
    }, 16);
  });
"""

# [knob, ms] -> pictures painted a second while the knob is turned.
DRAG = (
    "async ([name, ms]) => {"
    + _HAND
    + """
  const root = document.querySelector(".mb-root");
  let painted = 0;
  const count = () => (painted += 1);
  root.addEventListener("mbsgd:painted", count);
  const passed = await turn(handleOf(name), ms);
  root.removeEventListener("mbsgd:painted", count);
  return (painted / passed) * 1000;
}"""
)

# [knob, i] -> ms from a key press, which sends one value as a release does, until its picture is painted.
RELEASE = (
    "([name, i]) => new Promise(done => {"
    + _HAND
    + """
  const begun = performance.now();
  const seen = () => requestAnimationFrame(() => done(performance.now() - begun));
  document.querySelector(".mb-root").addEventListener("mbsgd:painted", seen, { once: true });
  const key = i % 2 ? "ArrowLeft" : "ArrowRight";
  handleOf(name).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
})"""
)


def restless(addresses: str) -> str:
    """A script for every page of a visitor who never rests.

    Args:
        addresses: those that it opens, as a JSON list.
    """
    return (
        "(async () => {"
        + _HAND
        + f"const addresses = {addresses};"
        + """
  const next = () => location.assign(addresses[Math.floor(Math.random() * addresses.length)]);
  const late = setTimeout(next, 20_000); // a page without a bench
  const come = () => new Promise(done => {
    const look = () => handleOf("Learning rate") ? done() : setTimeout(look, 100);
    look();
  });
  await come();
  clearTimeout(late);
  await turn(handleOf("Learning rate"), 2000);
  next();
})()"""
    )
