// Does what a reader does with a bench in a page, and tells what it says after each step.
addEventListener("load", async () => {
  const root = document.querySelector(".tinyvgg-bench").shadowRoot;
  const find = (selector) => root.querySelector(selector);
  const text = (selector) => find(selector)?.textContent ?? "";

  /** Act, and wait until this has changed a text of the bench; return what it says then. */
  const step = async (selector, act) => {
    const before = text(selector);
    await new Promise((resolve) => {
      const look = () => text(selector) !== before && resolve(watcher.disconnect());
      const watcher = new MutationObserver(look);
      watcher.observe(root, { childList: true, subtree: true, characterData: true });
      act();
    });
    const bars = Array.from(root.querySelectorAll(".bar > span"), (each) => each.textContent);
    return { said: text(".said"), traced: text(".traced"), bars };
  };

  const found = [await step(".said", () => find(".start").click())];
  const from = find("[aria-label='class to backtrack from']");
  const target = Array.from(from.options).findIndex((option) => !option.selected);
  const choose = () => {
    from.selectedIndex = target;
    from.dispatchEvent(new Event("change"));
  };
  found.push(await step(".traced", choose));
  await step("p:has(+ .guess)", () => find(".guess button").click());
  const judged = text("p:has(+ .guess)");
  const buttons = Array.from(root.querySelectorAll("button"));
  const fewest = buttons.find((button) => button.textContent === "the fewest found");
  found.push(await step(".said", () => fewest.click()));
  tell({ found, target, judged, title: document.title, hash: location.hash });
});
