"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const shots = [...document.querySelectorAll(".shot")];
  const keys = ["target", "night", "published"];

  const filter = () => {
    let left = 0;
    for (const shot of shots) {
      const fits = keys.every((key) => !at("by-" + key).value || shot.dataset[key] === at("by-" + key).value);
      shot.hidden = !fits;
      left += fits;
    }
    at("count").textContent = `${left} of ${shots.length}`;
    at("nothing").hidden = left > 0;
  };
  at("filters").hidden = false;
  for (const key of keys) at("by-" + key).addEventListener("change", filter);
  filter();

  if (!at("compare")) return;
  at("compare").hidden = false;
  const items = [...at("shown").children];
  let timer = 0, flip = false;
  const mine = () => items.filter((item) => item.dataset.target === at("target").value);
  const draw = () => {
    const pair = [at("first"), at("second")].map((select) => mine()[Number(select.value)]);
    const widths = pair.map((item) => Number(item.dataset.width));
    const widest = Math.max(...widths);
    [at("one"), at("other")].forEach((img, k) => {
      if (img.getAttribute("src") !== pair[k].dataset.src) img.src = pair[k].dataset.src;
      img.alt = pair[k].textContent;
      img.style.width = (widths.every((w) => w > 0) ? (100 * widths[k]) / widest : 100) + "%";
      img.style.visibility = (k === 1) === flip ? "visible" : "hidden";
    });
    at("which").textContent = pair[flip ? 1 : 0].textContent;
  };
  const choose = () => {
    const other = mine().findIndex((item) => item.dataset.night !== mine()[0].dataset.night);
    for (const [select, first] of [[at("first"), other < 0 ? 1 : other], [at("second"), 0]]) {
      select.replaceChildren(...mine().map((item, k) => new Option(item.textContent, k)));
      select.value = first;
    }
    draw();
  };
  at("target").addEventListener("change", choose);
  at("first").addEventListener("change", () => { flip = false; draw(); });
  at("second").addEventListener("change", () => { flip = true; draw(); });
  at("blinker").addEventListener("click", () => { flip = !flip; draw(); });
  at("blink").addEventListener("click", () => {
    if (timer) { clearInterval(timer); timer = 0; }
    else timer = setInterval(() => { flip = !flip; draw(); }, 700);
    at("blink").setAttribute("aria-pressed", String(Boolean(timer)));
  });
  choose();
})();
