// Keeps the page as it stands now: ages count on, values that grow too old turn grey, and whatever the server says has
// changed is fetched as HTML and put in place. Without this script the page is the same, and reloads every minute.
"use strict";

(() => {
  const body = document.body;
  const text = body.dataset;
  const skew = Number(text.now) - Date.now(); // the server's clock decides what is old
  const now = () => Date.now() + skew;

  function age(ms) {
    const steps = [[86400000, text.days], [3600000, text.hours], [60000, text.minutes], [1000, text.seconds]];
    for (const [size, words] of steps) {
      if (ms >= size) return words.replace("{n}", String(Math.floor(ms / size)));
    }
    return text.justNow;
  }

  function tick() {
    const at = now();
    for (const element of document.querySelectorAll("[data-age]")) {
      const words = age(at - Number(element.dataset.age));
      if (element.textContent !== words) element.textContent = words;
    }
    for (const element of document.querySelectorAll("[data-stale-at]:not(.lacking)")) {
      if (at > Number(element.dataset.staleAt)) refreshSoon(0); // the server says how the asset stands then
    }
    const clock = document.getElementById("site-clock");
    if (clock) {
      const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: clock.dataset.zone };
      clock.textContent = new Intl.DateTimeFormat("en", options).format(at);
    }
  }

  // What may differ without being a change: ages, and forms that somebody has opened.
  function signature(element) {
    const copy = element.cloneNode(true);
    for (const each of copy.querySelectorAll("[data-age]")) each.textContent = "";
    for (const each of copy.querySelectorAll("details")) each.removeAttribute("open");
    return copy.outerHTML;
  }

  function inUse(element) {
    return element.querySelector("details[open]") !== null;
  }

  function put(old, fresh) {
    if (signature(old) === signature(fresh)) return;
    if (!inUse(old) || !fresh.querySelector("details")) {
      old.replaceWith(fresh);
      return;
    }
    old.className = fresh.className; // a form is open in it: only what stands around the form changes
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const place = old.querySelector(`[data-part="${part.dataset.part}"]`);
      if (place) place.replaceWith(part);
    }
  }

  function merge(list, wanted) {
    const present = new Map(Array.from(list.children, (child) => [child.dataset.key, child]));
    const added = [];
    let before = list.firstElementChild;
    for (const child of Array.from(wanted.children)) {
      const old = present.get(child.dataset.key);
      present.delete(child.dataset.key);
      if (!old) {
        list.insertBefore(child, before);
        if (child.dataset.announce) added.push(child.dataset.announce);
      } else if (old === before) {
        before = before.nextElementSibling;
        put(old, child);
      } else {
        if (!inUse(old)) list.insertBefore(old, before);
        put(old, child);
      }
    }
    for (const child of present.values()) child.remove();
    return added;
  }

  function place(fresh) {
    for (const element of document.querySelectorAll("[data-live][id]")) {
      const wanted = fresh.getElementById(element.id);
      if (wanted) put(element, wanted);
    }
    for (const list of document.querySelectorAll("[data-live-list][id]")) {
      const wanted = fresh.getElementById(list.id);
      if (!wanted) continue;
      const added = merge(list, wanted);
      if ("announces" in list.dataset && added.length) announce(added);
    }
    document.title = fresh.title;
    tick();
  }

  function announce(texts) {
    document.getElementById("announcer").textContent = texts.join("; ");
  }

  let waiting = null;
  let fetching = false;
  let again = false;

  function refreshSoon(delay) {
    if (waiting === null) waiting = setTimeout(refresh, delay);
  }

  async function refresh() {
    waiting = null;
    if (!document.querySelector("[data-live], [data-live-list]")) return; // nothing on this page changes by itself
    if (fetching) {
      again = true;
      return;
    }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.ok) place(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The stream notices that the server is away, and refreshes when it is back.
    } finally {
      fetching = false;
      lastRefresh = Date.now();
      if (again) {
        again = false;
        refreshSoon(500);
      }
    }
  }

  let lastRefresh = Date.now();

  function listen() {
    const sign = document.getElementById("live");
    const show = (on) => {
      sign.hidden = false;
      sign.classList.toggle("off", !on);
      sign.lastElementChild.textContent = on ? text.liveOn : text.liveOff;
    };
    const stream = new EventSource(text.events);
    stream.addEventListener("open", () => show(true));
    stream.addEventListener("error", () => {
      show(false);
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    });
    stream.addEventListener("hello", () => refreshSoon(0)); // what changed between drawing the page and now
    stream.addEventListener("transition", () => refreshSoon(50));
    stream.addEventListener("configuration", () => refreshSoon(50));
    stream.addEventListener("latest", (event) => {
      refreshSoon(Math.max(0, 1000 - (Date.now() - lastRefresh)));
      const points = JSON.parse(event.data).items.map((item) => item.point);
      document.dispatchEvent(new CustomEvent("caretaker:readings", { detail: points }));
    });
    window.addEventListener("pagehide", () => stream.close(), { once: true });
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  setInterval(tick, 1000);
  tick();
  if (text.events) listen();
})();
