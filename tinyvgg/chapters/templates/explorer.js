// Show the scene that the reader picks; the element's data hold every scene.
function explore(id) {
  const root = document.getElementById(id);
  const at = (name) => document.getElementById(`${id}-${name}`);
  const data = JSON.parse(at("data").textContent);
  const picked = (name) => root.querySelector(`input[name="${id}-${name}"]:checked`).value;
  const cell = (tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  };
  const bar = (kind, share) => {
    const made = document.createElement("div");
    made.className = kind;
    made.style.width = `${100 * share}%`;
    return made;
  };
  const row = (name, before, after) => {
    const made = document.createElement("tr");
    const head = cell("th", name);
    const bars = cell("td", "");
    head.scope = "row";
    bars.className = "bar";
    bars.setAttribute("aria-hidden", "true");
    bars.append(bar("before", before), bar("after", after));
    made.append(head, cell("td", before), cell("td", after), bars);
    return made;
  };
  const picture = (name, source, words) => {
    at(name).src = source;
    at(name).alt = words;
  };
  const show = () => {
    const shown = data.cases[at("error").value];
    const scene = shown.scenes[picked("rule")][picked("choice")];
    picture("wrong", shown.wrong, `misclassified image: ${shown.title}`);
    picture("right", shown.right, "look-alike that is classified right");
    picture("features", data.features[scene.features], scene.words);
    at("result").textContent = scene.result;
    at("classes").replaceChildren(
      ...shown.classes.map((name, k) => row(name, shown.before[k], scene.after[k])),
    );
  };
  root.addEventListener("change", show);
  show();
}
