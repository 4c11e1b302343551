"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const [stage, seam, blink, zoom] = ["stage", "seam", "blink", "zoom"].map(at);
  const source = (key) => [...document.querySelectorAll("[data-key]")].find((img) => img.dataset.key === key);
  let scale = 1, timer = 0, flip = false;

  const draw = () => {
    const share = timer ? (flip ? 0 : 100) : Number(seam.value);
    stage.style.setProperty("--at", share + "%");
    at("cover").style.clipPath = `inset(0 0 0 ${share}%)`;
    at("before-tag").textContent = at(timer && flip ? "right" : "left").selectedOptions[0].textContent;
    const blend = Number(at("blend").value), right = at("right").selectedOptions[0].textContent;
    at("under").style.opacity = blend < 100 ? 1 : 0;
    at("after").style.opacity = blend / 100;
    at("blend-share").textContent = blend;
    at("after-tag").textContent = blend < 100 ? `${right} ${blend} %` : right;
  };
  const choose = () => {
    at("before").src = at("under").src = source(at("left").value).src;
    at("after").src = source(at("right").value).src;
    draw();
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    stage.classList.remove("blinking");
    blink.setAttribute("aria-pressed", "false");
  };

  for (const id of ["left", "right"]) at(id).addEventListener("change", choose);
  seam.addEventListener("input", () => { stop(); draw(); });
  at("blend").addEventListener("input", draw);
  blink.addEventListener("click", () => {
    if (timer) stop();
    else {
      timer = setInterval(() => { flip = !flip; draw(); }, 700);
      stage.classList.add("blinking");
      blink.setAttribute("aria-pressed", "true");
    }
    draw();
  });
  zoom.addEventListener("click", () => {
    scale = scale === 4 ? 1 : scale * 2;
    stage.style.setProperty("--scale", scale);
    at("scale").textContent = scale;
  });
  stage.addEventListener("pointermove", (event) => {
    const box = stage.getBoundingClientRect();
    stage.style.setProperty("--x", (100 * (event.clientX - box.left)) / box.width + "%");
    stage.style.setProperty("--y", (100 * (event.clientY - box.top)) / box.height + "%");
  });
  for (const img of document.querySelectorAll("[data-show]")) img.src = source(img.dataset.show).src;
  for (const img of document.querySelectorAll("[data-key], [data-show]"))
    img.addEventListener("click", () => {
      at("right").value = img.dataset.key || img.dataset.show;
      choose();
      stage.scrollIntoView({ block: "center" });
    });
  choose();
})();
