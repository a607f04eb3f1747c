"""The page of the static explorer: plain HTML, style and script, nothing from outside."""

from string import Template

PAGE = Template("""\
<div id="$id" class="tinyvgg-explorer">
<style>
#$id { color-scheme: light; background: #fff; color: #1a1a1a; border: 1px solid #ccc;
  border-radius: 6px; padding: 1em; max-width: 46em; font: 15px/1.4 sans-serif; }
#$id * { color: inherit; }
#$id fieldset { border: 0; margin: .6em 0 0; padding: 0; }
#$id legend, #$id .label { font-weight: bold; padding: 0; font-size: 1em; }
#$id label { display: inline-block; margin: 0 1em .2em 0; cursor: pointer; }
#$id select { max-width: 100%; font: inherit; background: #fff; }
#$id .images { display: flex; flex-wrap: wrap; gap: 1em; margin: 1em 0 .5em; }
#$id figure { margin: 0; }
#$id figcaption { font-size: .85em; text-align: center; }
#$id img { width: 160px; height: 160px; object-fit: contain; image-rendering: pixelated;
  border: 1px solid #ddd; background: #fff; }
#$id table { border-collapse: collapse; width: 100%; margin: 0; }
#$id th, #$id td { text-align: right; padding: 1px 6px; border: 0; background: #fff;
  font-variant-numeric: tabular-nums; }
#$id th:first-child, #$id td.bar { text-align: left; }
#$id td.bar { width: 40%; }
#$id .bar div { height: 7px; margin: 1px 0; min-width: 1px; }
#$id .before { background: #b8b8b8; }
#$id .after { background: #0072b2; }
#$id .result { margin: .5em 0; min-height: 2.8em; }
</style>
<p><label for="$id-error" class="label">Error</label>
<select id="$id-error">$options</select></p>
<fieldset><legend>Suppress</legend>
$choices
</fieldset>
<fieldset><legend>Rule of backtracking</legend>
$rules
</fieldset>
<div class="images">
<figure><img id="$id-wrong" alt="" src="$blank"><figcaption>error</figcaption></figure>
<figure><img id="$id-right" alt="" src="$blank"><figcaption>look-alike</figcaption></figure>
<figure><img id="$id-features" alt="" src="$blank">
<figcaption>tracked features</figcaption></figure>
</div>
<p class="result" id="$id-result" aria-live="polite">$fallback</p>
<table aria-describedby="$id-result"><thead><tr><th scope="col">class</th>
<th scope="col">before</th><th scope="col">after</th>
<th scope="col" aria-hidden="true"></th></tr></thead>
<tbody id="$id-classes"></tbody></table>
<script type="application/json" id="$id-data">$data</script>
<script>
(() => {
  const id = "$id", at = (name) => document.getElementById(id + "-" + name);
  const data = JSON.parse(at("data").textContent), root = document.getElementById(id);
  const picked = (name) => root.querySelector(`input[name="$${id}-$${name}"]:checked`).value;
  const cell = (tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  };
  const bar = (kind, share) => {
    const made = document.createElement("div");
    made.className = kind;
    made.style.width = 100 * share + "%";
    return made;
  };
  const row = (name, before, after) => {
    const made = document.createElement("tr"), head = cell("th", name), bars = cell("td", "");
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
    picture("wrong", shown.wrong, "misclassified image: " + shown.title);
    picture("right", shown.right, "look-alike that is classified right");
    picture("features", data.features[scene.features], scene.words);
    at("result").textContent = scene.result;
    at("classes").replaceChildren(
      ...shown.classes.map((name, k) => row(name, shown.before[k], scene.after[k])));
  };
  root.addEventListener("change", show);
  show();
})();
</script>
</div>
""")
"""Fields: id, options, choices, rules, blank, fallback, data."""
