// The inbox: which conversation is open, what its writer has seen, templates, and a draft that is
// being written.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const compose = () => byId("compose");
  const openId = () => byId("content")?.dataset.open;

  // ---- which conversation is open

  const markOpen = () => {
    for (const row of document.querySelectorAll("#list [data-row]")) {
      if (row.id === `c-${openId()}`) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    // The list asks for itself again, and has to know it too.
    const hidden = document.querySelector("#list input[name=open]");
    if (hidden && openId()) hidden.value = openId();
  };

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    const { request } = ctx;
    if (request.method !== "GET" || !openId()) return;
    const [path, query] = request.action.split("?");
    if (path !== "/inbox") return;
    const asked = new URLSearchParams(query);
    asked.set("open", openId());
    request.action = `${path}?${asked}`;
  });

  // ---- what the writer has seen: what stood there when they began to write

  const note = () => {
    const field = compose();
    const newest = byId("thread")?.dataset.newest;
    const seen = field?.form.elements.namedItem("seen");
    if (seen && newest && field.dataset.empty !== "false") seen.value = newest;
  };
  const noteText = (field) => {
    if (field.dataset.empty !== "false") note();
    field.dataset.empty = String(field.value === "");
    const template = field.form.elements.namedItem("template");
    if (template && field.value === "") template.value = "";
  };

  document.addEventListener("input", (event) => {
    if (event.target.id !== "compose") return;
    noteText(event.target);
    suggest(event.target);
  });

  // ---- templates, after a / at the start or after a space

  const SLASH = /(?:^|\s)\/([^\s/][^\n/]{0,60})?$/;
  const list = () => byId("templates");
  const options = () => [...list().querySelectorAll("[role=option]")];
  let asked = 0;

  const hide = () => {
    asked += 1;
    const field = compose();
    if (list()) list().hidden = true;
    field?.removeAttribute("aria-activedescendant");
    field?.setAttribute("aria-expanded", "false");
  };

  const choose = (option) => {
    for (const one of options()) one.setAttribute("aria-selected", String(one === option));
    if (option) compose().setAttribute("aria-activedescendant", option.id);
    option?.scrollIntoView({ block: "nearest" });
  };

  const slashIn = (field) => field.value.slice(0, field.selectionStart).match(SLASH);

  const suggest = async (field) => {
    const found = slashIn(field);
    if (!found) {
      if (list() && !list().hidden) hide();
      return;
    }
    const mine = (asked += 1);
    const search = (found[1] ?? "").trim();
    const answer = await fetch(`${field.dataset.templates}?search=${encodeURIComponent(search)}`, {
      headers: { "HX-Request": "true" },
    }).catch(() => null);
    if (!answer?.ok || mine !== asked || !slashIn(field)) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    list().replaceChildren(...parsed.body.childNodes);
    list().hidden = false;
    field.setAttribute("aria-expanded", "true");
    choose(options()[0]);
  };

  const fill = async (option) => {
    const field = compose();
    const csrf = field.form.elements.namedItem("csrf").value;
    const body = new URLSearchParams({ csrf });
    const answer = await fetch(option.dataset.fill, { method: "POST", body }).catch(() => null);
    if (!answer?.ok) return;
    const filled = await answer.json();
    const found = slashIn(field);
    const until = field.selectionStart;
    const from = found ? until - found[0].trimStart().length : until;
    field.setRangeText(filled.text, from, until, "end");
    field.form.elements.namedItem("template").value = filled.id;
    const price = byId("compose-price");
    if (filled.price && price) {
      price.value = filled.price;
      byId("offer").open = true;
    }
    hide();
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.target.id !== "compose" || list().hidden) return;
      const all = options();
      const here = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
      if (event.key === "ArrowDown") choose(all[(here + 1) % all.length]);
      else if (event.key === "ArrowUp") choose(all[(here - 1 + all.length) % all.length]);
      else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") {
        if (!all[here]) return;
        fill(all[here]);
      } else if (event.key === "Escape") hide();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // ---- a draft that is being written, and clicks

  const stop = () => {
    const form = byId("generating");
    if (form) htmx.trigger(form, "htmx:abort");
    const told = document.createElement("p");
    told.className = "notice";
    told.dataset.untilDraft = "";
    told.textContent = "Not shown any more. The draft is still made and checked; it will stand here.";
    byId("said").replaceChildren(told);
    byId("writing").replaceChildren();
  };

  document.addEventListener("click", (event) => {
    const option = event.target.closest?.("[data-fill]");
    if (option) fill(option);
    else if (!event.target.closest?.(".writes") && list() && !list().hidden) hide();
    if (event.target.closest?.("[data-stop]")) stop();
  });

  // What has been opened is what somebody wants to write in.
  document.addEventListener(
    "toggle",
    (event) => {
      const opened = event.target.matches("#drafting .more-act, #offer, #care, #options") && event.target.open;
      if (!opened || document.activeElement?.matches("textarea, input")) return;
      event.target.querySelector("textarea, input:not([type=hidden])")?.focus();
    },
    true,
  );

  // Nobody who edits a draft shall have the form taken away by something that happens elsewhere.
  document.addEventListener("htmx:before:swap", (event) => {
    const { ctx, tasks } = event.detail;
    if (ctx.sourceElement.id !== "refresh") return;
    const edited = document.querySelector("#drafting .more-act[open]");
    const asking = byId("options")?.open;
    const typing = document.activeElement?.closest("#fan form");
    for (let place = tasks.length - 1; place >= 0; place -= 1) {
      const id = tasks[place].target?.id;
      const busy = { drafting: edited, fan: typing, generate: asking };
      if (busy[id]) tasks.splice(place, 1);
    }
  });

  /** A list that was asked for before the last letters came must not be the last word. */
  let searchedOn = "";
  const searchOn = () => {
    const field = byId("find");
    const typed = field.value.trim();
    if (typed === field.getAttribute("value").trim() || typed === searchedOn) return;
    searchedOn = typed;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("htmx:after:swap", (event) => {
    markOpen();
    if (event.detail.ctx.target?.id === "list") searchOn();
    if (byId("draft")) document.querySelector("#said [data-until-draft]")?.remove();
    const field = compose();
    if (!field) return;
    if (field.form.hasAttribute("data-taken-back")) {
      // What was kept is older than what has come back.
      field.form.removeAttribute("data-taken-back");
      field.value = field.defaultValue;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.focus();
    }
    noteText(field);
    if (event.detail.ctx.sourceElement.matches?.("[data-row], .item")) showLatest();
  });

  const showLatest = () => {
    if (byId("content").scrollHeight <= innerHeight || matchMedia("(max-width: 820px)").matches)
      byId("latest")?.scrollIntoView({ block: "end" });
  };

  addEventListener("popstate", () => markOpen());
  if (compose()) noteText(compose());
})();
