"use strict";
for (const figure of document.querySelectorAll("[data-compare]")) {
  const range = figure.querySelector("input");
  const show = () => figure.style.setProperty("--shown", range.value + "%");
  range.addEventListener("input", show);
  show();
}
