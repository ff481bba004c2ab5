// The approval queue: choosing several, and saying that somebody is still at work on the open draft.
"use strict";

(() => {
  const BUSY_EVERY_MS = 60_000;
  let lastBusy = Date.now();

  // Whoever is at work holds the draft on; whoever has gone lets it go when its five minutes end.
  for (const kind of ["keydown", "pointerdown"])
    document.addEventListener(kind, () => {
      if (Date.now() - lastBusy < BUSY_EVERY_MS) return;
      lastBusy = Date.now();
      document.body.dispatchEvent(new Event("busy"));
    });

  const chosen = () => [...document.querySelectorAll(".card input:checked")];

  const count = () => {
    const place = document.getElementById("many-count");
    if (!place) return;
    const number = chosen().length;
    place.textContent = String(number);
    place.closest("form").toggleAttribute("data-any", number > 0);
  };
  document.addEventListener("change", count);
  document.addEventListener("htmx:after:swap", count);

  // `x` chooses the card that is open.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey) return;
    if (event.target.matches("input:not([type=checkbox]), textarea, select")) return;
    const box =
      document.querySelector(".card[data-open] input") ?? document.querySelector(".card input");
    if (box) box.click();
  });

  // What was opened to write in is written in at once.
  document.addEventListener(
    "toggle",
    (event) => {
      if (event.target.open && event.target.matches(".more-act"))
        event.target.querySelector("textarea, button[data-key], input:not([type=hidden])")?.focus();
    },
    true,
  );

  count();
})();
