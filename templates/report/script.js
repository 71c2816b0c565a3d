"use strict";
(() => {
  const page = document.documentElement;
  page.classList.add("script");

  // Linear or logarithmic: one choice for the whole page, offered wherever it matters.
  const choices = [...document.querySelectorAll(".scale input")];
  document.querySelectorAll(".scale").forEach((field) => { field.hidden = false; });
  choices.forEach((choice) => choice.addEventListener("change", () => {
    page.dataset.scale = choice.value;
    choices.forEach((other) => { other.checked = other.value === choice.value; });
  }));

  // The numbers of a point appear beside the pointer; the browser's own titles would come late.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  let near = null;
  const leave = () => {
    if (near) near.classList.remove("near");
    near = null;
    tip.hidden = true;
  };
  document.querySelectorAll(".plot").forEach((plot) => {
    const marks = [...plot.querySelectorAll("use > title")].map((title) => {
      const mark = title.parentNode;
      const text = title.textContent;
      title.remove();
      mark.setAttribute("aria-label", text);
      return { mark, text };
    });
    if (!marks.length) return;
    plot.addEventListener("pointermove", (event) => {
      let best = null;
      let least = 18;
      for (const one of marks) {
        const box = one.mark.getBoundingClientRect();
        const away = Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
        if (away < least) { least = away; best = one; }
      }
      if (!best) { leave(); return; }
      if (near !== best.mark) {
        leave();
        near = best.mark;
        near.classList.add("near");
        tip.textContent = best.text;
        tip.hidden = false;
      }
      const room = page.clientWidth - tip.offsetWidth - 8;
      tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, room))}px`;
      const below = event.clientY + 16;
      const over = below + tip.offsetHeight > page.clientHeight;
      tip.style.top = `${over ? event.clientY - tip.offsetHeight - 10 : below}px`;
    });
    plot.addEventListener("pointerleave", leave);
  });

  // On paper nothing can be opened.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open], .screen)")];
    closed.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => closed.forEach((part) => { part.open = false; }));
})();
