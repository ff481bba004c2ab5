// The personality editor: counts what is typed, says when it is not saved, and brings back what was
// typed over a version that has been replaced since.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const FIELDS = "input[data-keep], select[data-keep], textarea[data-keep]";
  const bytes = (text) => new TextEncoder().encode(text).length;
  const number = (value) => value.toLocaleString("en-US");

  const entriesOf = (field) => [
    ...new Set(
      field.value
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
    ),
  ];

  const initial = (field) =>
    field.matches("select")
      ? ([...field.options].find((option) => option.defaultSelected) ?? field.options[0]).value
      : field.defaultValue;

  const count = () => {
    const form = byId("editor");
    const total = byId("voice-size");
    if (!form || !total) return;
    let size = bytes(byId("system_prompt").value);
    for (const field of form.querySelectorAll("[data-entries]")) {
      const found = entriesOf(field);
      byId(field.dataset.entries).textContent = found.length;
      for (const entry of found) size += bytes(entry) + Number(total.dataset.around);
    }
    const prompt = byId("system_prompt");
    byId(prompt.dataset.characters).textContent = number([...prompt.value].length);
    total.textContent = number(size);
    total.classList.toggle("late", size > Number(total.dataset.most));
    byId("voice-meter").value = size;
    byId("unsaved").hidden = [...form.querySelectorAll(FIELDS)].every(
      (field) => field.value === initial(field),
    );
  };

  /** Everything that is kept of this creator's fields: name and version by storage key. */
  const kept = () => {
    const start = `typed:${document.body.dataset.user}:voice:${byId("bring-back").dataset.creator}:`;
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(start));
    return new Map(keys.map((key) => [key, key.slice(start.length).split(":")]));
  };

  /** What was typed over another version than the one shown, and does not stand in its field. */
  const left = () => {
    const button = byId("bring-back");
    if (!button) return [];
    return [...kept()]
      .filter(([, [version]]) => version !== button.dataset.version)
      .map(([key, [, name]]) => ({ key, field: byId(name), text: localStorage.getItem(key) }))
      .filter(({ field, text }) => field && field.value !== text);
  };

  const offer = () => {
    const button = byId("bring-back");
    if (button) button.hidden = left().length === 0;
  };

  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#bring-back")) return;
    for (const { key, field, text } of left()) {
      localStorage.removeItem(key);
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    offer();
  });

  // A version that is saved has all that was typed in it, also what was typed before a clash.
  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (sourceElement.id !== "editor" || !response || response.status >= 400) return;
    for (const key of kept().keys()) localStorage.removeItem(key);
  });

  // What is wrong may be far from the button that was pressed.
  document.addEventListener("htmx:after:swap", (event) => {
    const { response } = event.detail.ctx ?? {};
    if (response?.status === 422) document.querySelector("#editor [aria-invalid]")?.focus();
    if (response?.status === 409) document.querySelector(".clash")?.scrollIntoView();
  });

  const begin = () => {
    count();
    offer();
  };
  document.addEventListener("input", count);
  document.addEventListener("htmx:after:swap", begin);
  begin();
})();
