// What every page does: keys, the palette, text that outlives a reload, countdowns, and what to say
// when a request or the connection fails. docs/console.md tells what markup asks for it.
"use strict";

(() => {
  const dialog = () => document.querySelector("dialog[open]");
  const byId = (id) => document.getElementById(id);
  const isField = (element) =>
    element instanceof Element &&
    element.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=submit])");
  const isShown = (element) =>
    element.checkVisibility() && !element.disabled && !element.closest("[inert]");

  // ---- keys

  const LEADS = new Set(["g"]);
  const LEAD_MS = 1200;
  let lead = "";
  let leadSince = 0;

  const chord = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return event.ctrlKey || event.metaKey ? `Ctrl+${key}` : key;
  };
  const keysOf = (element) => element.dataset.key.split(",");
  const keyed = (key) =>
    [...(dialog() ?? document).querySelectorAll("[data-key]")].find(
      (element) => keysOf(element).includes(key) && isShown(element),
    );

  /** What Ctrl+Enter presses: the button of the form that is typed in comes before all others. */
  const sends = (field) =>
    field.form?.querySelector("[data-key='Ctrl+Enter'], button:not([type=button])") ??
    keyed("Ctrl+Enter");

  const press = (element) => {
    if (!isField(element)) {
      element.click();
      return;
    }
    element.focus();
    element.select?.();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const key = chord(event);
    if (isField(event.target) && !key.startsWith("Ctrl+") && key !== "Escape") return;
    if (key === "Escape" && dialog()) return; // the browser closes it
    const inARow = lead && event.timeStamp - leadSince < LEAD_MS ? `${lead} ${key}` : key;
    lead = "";
    const element = inARow === "Ctrl+Enter" ? sends(event.target) : keyed(inARow);
    if (element) {
      event.preventDefault();
      press(element);
    } else if (key === "Escape" && isField(event.target)) {
      event.target.blur();
    } else if (key === "?" && !dialog()) {
      event.preventDefault();
      showKeys();
    } else if (!dialog() && step(key)) {
      event.preventDefault();
    } else if (LEADS.has(key)) {
      [lead, leadSince] = [key, event.timeStamp];
    }
  });

  const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

  /** Open the row after or before the current one; false where there is none to open. */
  const step = (key) => {
    const by = STEPS[key];
    const list = document.querySelector("[data-rows]");
    if (!by || !list) return false;
    const rows = [...list.querySelectorAll("[data-row]")].filter(isShown);
    const here = rows.findIndex((row) => row.matches("[aria-current=true], :focus"));
    const next = rows[here < 0 ? 0 : here + by];
    if (!next) return false;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    next.click();
    return true;
  };

  // ---- the list of keys, and the palette

  const says = (element) =>
    element.dataset.keySays ??
    element.getAttribute("aria-label") ??
    element.labels?.[0]?.textContent ??
    element.textContent;

  /** What can be done here: each once, what is hidden or disabled left out. */
  const actions = () => {
    const found = new Map();
    for (const element of document.querySelectorAll("[data-key]")) {
      const told = says(element).replaceAll(/\s+/g, " ").trim();
      if (isShown(element) && told && !found.has(told)) found.set(told, element);
    }
    return found;
  };

  const showKeys = () => {
    const rows = [...actions()].map(([told, element]) => {
      const row = document.createElement("div");
      const name = document.createElement("dt");
      const keys = document.createElement("dd");
      name.textContent = told;
      for (const key of keysOf(element)) {
        const cap = document.createElement("kbd");
        cap.textContent = key;
        keys.append(cap, " ");
      }
      row.append(name, keys);
      return row;
    });
    byId("keys-here").replaceChildren(...rows);
    byId("keys").showModal();
  };

  const palette = () => byId("palette");
  const options = () => [...palette().querySelectorAll("[role=option]")].filter(isShown);

  const choose = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    const search = byId("palette-search");
    if (option) search.setAttribute("aria-activedescendant", option.id);
    else search.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };

  const listActions = (text) => {
    const wanted = text.trim().toLowerCase();
    const fitting = [...actions()].filter(([told]) => told.toLowerCase().includes(wanted));
    const rows = fitting.slice(0, 12).map(([told, element], number) => {
      const option = document.createElement("button");
      option.type = "button";
      option.id = `action-${number}`;
      option.role = "option";
      option.tabIndex = -1;
      option.textContent = told;
      const cap = document.createElement("kbd");
      cap.textContent = element.dataset.key.split(",")[0];
      option.append(cap);
      option.addEventListener("click", () => {
        palette().close();
        press(element);
      });
      return option;
    });
    byId("palette-actions").replaceChildren(...rows);
  };

  const openPalette = () => {
    const search = byId("palette-search");
    search.value = "";
    listActions("");
    palette().showModal();
    search.dispatchEvent(new Event("input", { bubbles: true }));
    choose(options()[0]);
  };

  document.addEventListener("click", (event) => {
    const opens = event.target.closest?.("[data-opens]");
    if (opens?.dataset.opens === "keys") showKeys();
    if (opens?.dataset.opens === "palette") openPalette();
    if (event.target.closest?.("[data-closes]")) dialog()?.close();
    // A press beside a dialog closes it.
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });

  document.addEventListener("input", (event) => {
    if (event.target.id !== "palette-search") return;
    listActions(event.target.value);
    choose(options()[0]);
  });

  document.addEventListener("htmx:after:swap", () => {
    if (palette().open && !options().some((one) => one.getAttribute("aria-selected") === "true"))
      choose(options()[0]);
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "palette-search") return;
    const all = options();
    const here = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(all[(here + 1) % all.length]);
    else if (event.key === "ArrowUp") choose(all[(here - 1 + all.length) % all.length]);
    else if (event.key === "Enter") all[here]?.click();
    else return;
    event.preventDefault();
  });

  // ---- what is typed is kept until it has been taken

  const me = document.body.dataset.user ?? "";
  const slot = (field) => `typed:${me}:${field.dataset.keep}`;

  const restore = (root) => {
    for (const field of root.querySelectorAll("[data-keep]")) {
      const kept = localStorage.getItem(slot(field));
      if (kept === null || kept === field.value) continue;
      field.value = kept;
      field.closest("details")?.setAttribute("open", "");
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };

  document.addEventListener("input", (event) => {
    const field = event.target.closest?.("[data-keep]");
    if (!field) return;
    if (field.value === field.defaultValue) localStorage.removeItem(slot(field));
    else localStorage.setItem(slot(field), field.value);
  });

  const forget = (form) => {
    for (const field of form.querySelectorAll("[data-keep]")) localStorage.removeItem(slot(field));
  };

  // What is not sent by whoever signs out is nobody's business any more.
  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("action") !== "/sign-out") return;
    for (const name of Object.keys(localStorage))
      if (name.startsWith(`typed:${me}:`)) localStorage.removeItem(name);
  });

  // ---- parts that follow what others do

  const FOLLOWING = new Set(["changed", "busy"]);
  const follows = (ctx) => ctx.request.method === "GET" && FOLLOWING.has(ctx.sourceEvent?.type);
  const asked = new WeakMap();
  const madeAnew = new WeakMap();
  let moment = 0;

  document.addEventListener("htmx:before:request", (event) => {
    if (follows(event.detail.ctx)) asked.set(event.detail.ctx, ++moment);
  });
  document.addEventListener("htmx:before:swap", (event) => {
    if (follows(event.detail.ctx)) return;
    for (const { target } of event.detail.tasks)
      if (target instanceof Element) madeAnew.set(target, ++moment);
  });

  /** Whether what asked has gone since, or became part of something that was made anew. */
  const isOvertaken = (ctx) => {
    if (!ctx.sourceElement.isConnected) return true;
    for (let part = ctx.sourceElement; part; part = part.parentElement)
      if (madeAnew.get(part) > asked.get(ctx)) return true;
    return false;
  };

  // An answer that was overtaken tells of the draft or the list that stood there before: it is left
  // out, and whatever follows asks again.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    if (!follows(ctx) || !isOvertaken(ctx)) return;
    event.preventDefault();
    htmx.trigger(byId("live"), "changed");
  });

  // ---- requests that take their time

  const SLOW_MS = 300;
  const slow = new WeakMap();

  document.addEventListener("htmx:before:request", (event) => {
    const { ctx } = event.detail;
    if (ctx.sourceElement.id === "live" || !ctx.target?.setAttribute) return;
    const timer = setTimeout(() => ctx.target.setAttribute("aria-busy", "true"), SLOW_MS);
    slow.set(ctx, timer);
  });
  document.addEventListener("htmx:finally:request", (event) => {
    const { ctx } = event.detail;
    clearTimeout(slow.get(ctx));
    ctx.target?.removeAttribute?.("aria-busy");
  });

  // ---- requests that fail, and the connection

  const say = (place, ...what) => {
    place.replaceChildren(...what);
    place.hidden = what.length === 0;
  };

  let failed = null;

  const sayFailed = (source, reason) => {
    failed = source;
    const told = document.createElement("p");
    told.textContent = `${reason} Nothing was sent, and what you typed is kept.`;
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => {
      say(byId("trouble"));
      if (failed?.isConnected) failed.matches("form") ? failed.requestSubmit() : failed.click();
    });
    say(byId("trouble"), told, again);
  };

  document.addEventListener("htmx:before:request", (event) => {
    if (event.detail.ctx.request.method !== "GET") say(byId("trouble"));
  });

  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response, request } = event.detail.ctx;
    const taken = response && response.status < 400 && request.method !== "GET";
    const form = sourceElement.closest("form");
    const submits = sourceElement === form || sourceElement.matches("[type=submit], button");
    if (taken && form && submits) forget(form);
  });

  document.addEventListener("htmx:error", (event) => {
    const { ctx } = event.detail;
    if (!ctx || ctx.response || ctx.request.method === "GET") return;
    sayFailed(ctx.sourceElement, navigator.onLine ? "The server did not answer." : "No connection.");
  });

  const away = byId("away");
  const sse = (name, hidden) =>
    document.addEventListener(`htmx:sse:${name}`, (event) => {
      if (event.target.id === "live") away.hidden = hidden;
    });
  sse("after:connection", true);
  sse("error", false);
  // A stream that cannot even be opened is tried again; the extension itself does that only to
  // one that was open before.
  const LIVE_AGAIN_MS = 3000;
  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (sourceElement.id !== "live" || response) return;
    away.hidden = false;
    setTimeout(() => htmx.trigger(sourceElement, "again"), LIVE_AGAIN_MS);
  });

  // ---- countdowns

  // Both clocks may be wrong; what counts is how far apart they were when the page was made.
  const skew = Date.now() - Date.parse(document.body.dataset.now);

  const tick = () => {
    for (const element of document.querySelectorAll("[data-until]")) {
      const left = Math.round((Date.parse(element.dataset.until) + skew - Date.now()) / 1000);
      const seconds = Math.max(left, 0);
      const told = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
      if (element.textContent !== told) element.textContent = told;
      if (left > 0 || element.dataset.over) continue;
      element.dataset.over = "true";
      element.dispatchEvent(new Event("until", { bubbles: true }));
      element.closest("[data-gone-after]")?.remove();
    }
  };

  // ---- the browser's own clock and theme

  const cookie = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
  };
  cookie("zone", Intl.DateTimeFormat().resolvedOptions().timeZone);

  document.addEventListener("click", (event) => {
    const wanted = event.target.closest?.("[data-theme-is]")?.dataset.themeIs;
    if (wanted === undefined) return;
    cookie("theme", wanted);
    document.documentElement.dataset.theme = wanted;
    for (const one of document.querySelectorAll("[data-theme-is]"))
      one.setAttribute("aria-pressed", String(one.dataset.themeIs === wanted));
  });

  /** On a narrow screen the menu is one row that is scrolled; where one is must be in it. */
  const showPlace = () => {
    const menu = byId("menu");
    const place = menu?.querySelector("[aria-current]");
    if (place) menu.scrollLeft = place.offsetLeft - (menu.clientWidth - place.offsetWidth) / 2;
  };

  // ---- begin

  document.addEventListener("htmx:after:swap", () => {
    restore(document);
    tick();
  });
  restore(document);
  showPlace();
  tick();
  setInterval(tick, 1000);
})();
