/** The instruments below the picture, one at a time. */

import { h } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

/**
 * Makes the tabs.
 *
 * @param bench keeps the chosen one in its view.
 * @param {{name: string, label: string, element: HTMLElement}[]} all One whose element is hidden has nothing to say
 *   and is not offered.
 */
export function createTabs(bench, all) {
  const tabs = all.map(({ name, label, element }) => {
    const [tab, panel] = [`mb-tab-${name}`, `mb-tabpanel-${name}`];
    return {
      name,
      element,
      button: h(
        "button",
        {
          type: "button",
          role: "tab",
          id: tab,
          class: "mb-tabname",
          "aria-controls": panel,
          onclick: () => bench.changeView({ tab: name }),
        },
        label,
      ),
      panel: h("div", { role: "tabpanel", id: panel, "aria-labelledby": tab, class: "mb-tabpanel" }, element),
    };
  });
  const list = h(
    "div",
    {
      class: "mb-tablist",
      role: "tablist",
      "aria-label": "Instruments",
      onkeydown: (event) => {
        const offered = tabs.filter(({ button }) => !button.hidden);
        const at = offered.findIndex(({ button }) => button === event.target);
        let next = null;
        if (STEPS[event.key]) next = offered.at((at + STEPS[event.key]) % offered.length);
        else if (event.key === "Home") next = offered[0];
        else if (event.key === "End") next = offered.at(-1);
        if (!next) return;
        event.preventDefault();
        bench.changeView({ tab: next.name });
        next.button.focus();
      },
    },
    tabs.map(({ button }) => button),
  );
  const panels = tabs.map(({ panel }) => panel);
  const element = h("section", { class: "mb-tabs-below", "aria-label": "Instruments" }, list, panels);

  /** Shows the chosen tab; the first where that has nothing to say. */
  function update() {
    const chosen = tabs.find((tab) => tab.name === bench.view.tab && !tab.element.hidden) ?? tabs[0];
    for (const { button, panel, element: content, ...tab } of tabs) {
      const is = tab.name === chosen.name;
      button.hidden = content.hidden;
      button.setAttribute("aria-selected", String(is));
      button.tabIndex = is ? 0 : -1;
      panel.hidden = !is;
    }
  }

  return { element, update };
}
