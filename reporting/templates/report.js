"use strict";
(() => {
  const form = document.querySelector(".filter");
  const all = [...document.querySelectorAll(".finding")];
  if (form) filters(form, all);

  // a link to a finding opens it and what it lies in
  const reveal = () => {
    const at = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    if (!at || !at.classList.contains("finding")) return;
    if (at.hidden && form) { form.reset(); setTimeout(reveal); return; }
    for (let box = at; box; box = box.parentElement) if (box.tagName === "DETAILS") box.open = true;
    at.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // on paper everything that needs attention is open
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".group > .finding:not([open]), .rest:not([open])")];
    for (const box of opened) box.open = true;
  });
  addEventListener("afterprint", () => { for (const box of opened) box.open = false; });

  function filters(form, all) {
    const groups = [...document.querySelectorAll(".group")];
    const field = form.elements, out = form.querySelector("output"), nothing = document.querySelector(".nothing");
    const texts = new Map();
    const text = (f) => {
      if (!texts.has(f)) { // all but what hosts answered: a table of services names them all
        const parts = [f.closest(".group").querySelector("h3"), ...f.querySelectorAll("summary, .body > :not(.evidence), .ev-q")];
        texts.set(f, parts.map((part) => part.textContent).join(" ").toLowerCase());
      }
      return texts.get(f);
    };
    const fits = (f, want) => {
      const d = f.dataset;
      if (want.t && d.t !== want.t) return false;
      if (want.v && !want.v.split(" ").includes(d.v)) return false;
      if (want.s && d.s !== want.s) return false;
      if (want.c && !d.c.split(" ").some((c) => c === want.c || (want.c.endsWith(".") && c.startsWith(want.c)))) return false;
      return want.q.every((word) => text(f).includes(word));
    };
    const apply = () => {
      const want = { t: field.t.value, c: field.c.value, v: field.v.value, s: field.s.value };
      want.q = field.q.value.toLowerCase().split(/\s+/).filter(Boolean);
      const active = Object.values(want).some((w) => w.length);
      let shown = 0;
      for (const f of all) {
        f.hidden = active && !fits(f, want);
        if (!f.hidden) shown += 1;
      }
      for (const group of groups) {
        const rest = group.querySelector(".rest");
        if (rest) {
          const some = rest.querySelector(".finding:not([hidden])") !== null;
          rest.hidden = !some;
          if (active) rest.open = some;
        }
        group.hidden = group.querySelector(".finding:not([hidden])") === null;
      }
      nothing.hidden = shown > 0;
      const n = new Intl.NumberFormat(document.documentElement.lang);
      out.textContent = form.dataset.shown.replace("{n}", n.format(shown)).replace("{total}", n.format(all.length));
    };
    let timer = 0;
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 80); });
    form.addEventListener("submit", (e) => e.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    field.toggle.addEventListener("click", () => {
      const open = field.toggle.textContent === form.dataset.expand;
      for (const f of all) if (!f.hidden) f.open = open;
      field.toggle.textContent = open ? form.dataset.collapse : form.dataset.expand;
    });
    for (const link of document.querySelectorAll("[data-set-v], [data-set-c]")) {
      link.addEventListener("click", () => {
        form.reset();
        const { setV, setC } = link.dataset;
        if (setC) field.c.value = setC;
        if (setV) field.v.value = setV; // no option for questions to people: then everything is shown
        setTimeout(apply);
      });
    }
    form.hidden = false;
    apply();
  }
})();
