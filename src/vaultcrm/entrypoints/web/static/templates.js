// The templates' page: variables put in at the caret, and which version an unsaved text belongs to.
"use strict";

(() => {
  const me = document.body.dataset.user ?? "";
  const slot = (key, field) => `typed:${me}:template:${key}:${field}`;
  const forms = () => document.querySelectorAll("form[data-template]");

  document.addEventListener("click", (event) => {
    const insert = event.target.closest?.("[data-insert]");
    if (insert) {
      const text = insert.closest("form").elements.text;
      text.focus();
      text.setRangeText(insert.dataset.insert, text.selectionStart, text.selectionEnd, "end");
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const drop = event.target.closest?.("[data-drop]");
    if (drop) forget(drop.dataset.drop);
  });

  const forget = (key) => {
    for (const field of ["name", "category", "language", "price", "text", "seen"])
      localStorage.removeItem(slot(key, field));
  };
  const isKept = (form) =>
    [...form.querySelectorAll("[data-keep]")].some((field) =>
      localStorage.getItem(`typed:${me}:${field.dataset.keep}`),
    );

  // What is typed is kept by console.js. It was typed over one version of the template: saving it
  // later, over another one, must be refused as if the page had been open all the time.
  document.addEventListener("input", (event) => {
    const form = event.target.form ?? event.target;
    if (!form.matches("[data-template]") || !form.elements.seen) return;
    const kept = slot(form.dataset.template, "seen");
    if (!isKept(form)) localStorage.removeItem(kept);
    else if (!localStorage.getItem(kept)) localStorage.setItem(kept, form.elements.seen.value);
  });

  const recall = () => {
    for (const form of forms()) {
      if (!form.elements.seen) continue;
      const kept = localStorage.getItem(slot(form.dataset.template, "seen"));
      if (kept && isKept(form)) form.elements.seen.value = kept;
    }
  };

  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response, request } = event.detail.ctx;
    if (!sourceElement.matches("form[data-template]") || request.method === "GET") return;
    // After a refusal the form knows the version that it was refused over.
    if (response && (response.status < 400 || response.status === 409))
      localStorage.removeItem(slot(sourceElement.dataset.template, "seen"));
  });

  // What was kept is back before htmx listens; then the preview has to be asked for here.
  const show = () => {
    for (const form of forms())
      if (isKept(form)) form.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("htmx:after:swap", recall);
  document.addEventListener("htmx:after:process", show, { once: true });
  recall();
})();
