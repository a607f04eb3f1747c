// Sets the formulas of a page by KaTeX, which only pages with formulas load.
document.addEventListener("DOMContentLoaded", () => {
  const { katex } = window;
  if (!katex) return;
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL("katex.min.css", document.querySelector('script[src*="katex.min.js"]').src);
  document.head.append(style);
  addEventListener("load", () => {
    for (const set of document.querySelectorAll("div.math > span")) {
      if (set.scrollWidth > set.clientWidth) set.tabIndex = 0; // scrolls by keyboard as well
    }
  });
  for (const place of document.querySelectorAll(".math")) {
    const number = place.querySelector(".eqno");
    number?.remove();
    const tex = place.textContent.trim().replace(/^\\[([]|\\[)\]]$/g, "");
    const set = document.createElement("span");
    katex.render(tex, set, { displayMode: place.tagName === "DIV", throwOnError: false });
    place.replaceChildren(...[number, set].filter(Boolean));
  }
});
