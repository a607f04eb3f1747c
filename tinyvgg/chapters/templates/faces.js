// Change one cause of a face at a time; the element's data hold every image, packed.
function exploreFaces(id) {
  const at = (name) => document.getElementById(`${id}-${name}`);
  const data = JSON.parse(at("data").textContent), root = document.getElementById(id);
  const area = data.size * data.size, frame = 4 * area, unpacked = new Map();
  const state = { cause: 0, place: data.causes[0].texts.length - 1 };

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new DecompressionStream("deflate"), writer = stream.writable.getWriter();
    writer.write(bytes);
    writer.close();
    return new Uint8Array(await new Response(stream.readable).arrayBuffer());
  };
  const added = (one, other) => one.map((value, k) => value + other[k]);
  const frames = async (person, cause) => {
    const about = data.people[person], { rest, texts } = data.causes[cause], made = [];
    made[rest] = await unpack(about.rest);
    const steps = await unpack(about.steps[cause].packed);
    let start = 0;
    const grow = (place, inner) => {
      made[place] = added(steps.subarray(start, start + frame), made[inner]);
      start += frame;
    };
    for (let place = rest + 1; place < texts.length; place++) grow(place, place - 1);
    for (let place = rest - 1; place >= 0; place--) grow(place, place + 1);
    return made;
  };
  const kept = (person, cause) => {
    const key = person + " " + cause;
    if (!unpacked.has(key)) unpacked.set(key, frames(person, cause));
    return unpacked.get(key);
  };

  const colour = (layers, k) => {
    const green = layers[area + k];
    return [(layers[k] + green) & 255, green, (layers[2 * area + k] + green) & 255];
  };
  const tinted = (layers, k) => {
    const part = data.colours[layers[3 * area + k]];
    return colour(layers, k).map((v, c) => (1 - data.tint) * v + data.tint * part[c]);
  };
  const difference = (before, after, k) => {
    const one = colour(before, k), other = colour(after, k);
    return data.ramp[Math.max(...one.map((v, c) => Math.abs(v - other[c])))];
  };
  const small = document.createElement("canvas");
  small.width = small.height = data.size;
  const paint = (name, pixel, words, smooth) => {
    const canvas = at(name), pixels = small.getContext("2d"), context = canvas.getContext("2d");
    const image = pixels.createImageData(data.size, data.size);
    for (let k = 0; k < area; k++) image.data.set([...pixel(k), 255], 4 * k);
    pixels.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    canvas.setAttribute("aria-label", words);
  };

  const picked = (name) => root.querySelector(`input[name="${id}-${name}"]:checked`).value;
  const percent = (count, all) => {
    const share = 100 * count / all;
    if (share > 99 && count < all) return "> 99 %";
    if (share < 1 && count > 0) return "< 1 %";
    return Math.round(share) + " %";
  };
  const sum = (values) => values.reduce((one, other) => one + other, 0);
  const sentence = (what, steps) => {
    const same = area - sum(steps.changed[state.place]);
    const largest = Math.max(...steps.most[state.place]);
    if (same === area) return `${what}: nothing is changed, all pixels are equal.`;
    return `${what}: ${percent(area - same, area)} of all pixels change; ` +
      `the most different one differs by ${largest} of 255 levels.`;
  };
  const rows = (pixels, changed, most) => {
    [...at("rows").rows].forEach((row, part) => {
      const none = pixels[part] === 0;
      row.cells[1].textContent = pixels[part];
      row.cells[2].textContent = none ? "—" : percent(changed[part], pixels[part]);
      row.cells[3].textContent = none ? "—" : most[part];
      row.cells[4].firstChild.style.width =
        (none ? 0 : 100 * changed[part] / pixels[part]) + "%";
    });
  };
  const sliders = () => {
    data.causes.forEach((cause, k) => {
      const slider = at(cause.name), place = k === state.cause ? state.place : cause.rest;
      slider.value = place;
      slider.setAttribute("aria-valuetext", cause.texts[place]);
      at(cause.name + "-text").textContent = cause.texts[place];
      slider.parentElement.classList.toggle("active", place !== cause.rest);
    });
  };
  let latest = 0;
  const show = async () => {
    sliders();
    const turn = ++latest, person = picked("person"), about = data.people[person];
    const cause = data.causes[state.cause], steps = about.steps[state.cause];
    const made = await kept(person, state.cause);
    if (turn !== latest) return;
    const before = made[cause.rest], after = made[state.place];
    const what = `${cause.label}, ${cause.texts[state.place]}`, view = picked("view");
    paint("rest", (k) => colour(before, k), `${about.title} at rest`, true);
    paint("changed", (k) => colour(after, k), `${about.title}: ${what}`, true);
    if (view === "parts") {
      paint("third", (k) => tinted(after, k), "the same face tinted by its parts", false);
      at("shown").textContent = "parts of the changed face, in the colours of the table";
    } else {
      paint("third", (k) => difference(before, after, k), "where the two differ", false);
      at("shown").textContent = "difference: white where equal to the byte, dark where large";
    }
    at("what").textContent = what;
    at("result").textContent = sentence(what, steps);
    rows(about.pixels, steps.changed[state.place], steps.most[state.place]);
    const bytes = (layers) =>
      Uint8Array.from({ length: 3 * area }, (_, n) => colour(layers, Math.floor(n / 3))[n % 3]);
    root.faces = { rest: bytes(before), shown: bytes(after) };
    root.dispatchEvent(new Event("shown"));
    root.dataset.shown = [person, cause.name, state.place, view].join(" ");
  };
  const asked = () => show().catch((error) => {
    at("result").textContent = "This browser cannot unpack the images: " + error.message;
  });
  root.addEventListener("input", (event) => {
    if (event.target.type === "range") {
      state.cause = data.causes.findIndex((cause) => cause.name === event.target.name);
      state.place = Number(event.target.value);
    }
    asked();
  });
  at("back").addEventListener("click", () => {
    state.place = data.causes[state.cause].rest;
    asked();
  });
  asked();
}
