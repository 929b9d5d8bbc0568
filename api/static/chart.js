// Draws each chart of the page from the Vega-Lite document that the server makes, again when readings come or the colours
// of the system change. `ast: true` makes Vega interpret expressions, because the content policy forbids to evaluate text.
"use strict";

(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const charts = Array.from(document.querySelectorAll("[data-chart]"), (element) => ({
    element, view: null, drawnAt: 0, timer: null,
  }));
  const least = 10000; // ms between two drawings for new readings

  // Vega's own tooltip brings a style element, which the content policy forbids; this one is styled in app.css.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  function tooltip(handler, event, item, value) {
    if (!value) {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren(...Object.entries(value).map(([name, shown]) => {
      const line = document.createElement("p");
      const label = document.createElement("span");
      label.textContent = name;
      const figure = document.createElement("strong");
      figure.textContent = String(shown);
      line.append(label, figure);
      return line;
    }));
    tip.hidden = false;
    const wide = document.documentElement.clientWidth;
    tip.style.left = `${Math.min(event.clientX + 12, wide - tip.offsetWidth - 8)}px`;
    tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 12, 8)}px`;
  }

  async function draw(chart) {
    chart.timer = null;
    chart.drawnAt = Date.now();
    try {
      const theme = dark.matches ? "dark" : "light";
      const answer = await fetch(`${chart.element.dataset.chart}&theme=${theme}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const drawn = await window.vegaEmbed(chart.element, await answer.json(), {
        actions: false, ast: true, defaultStyle: false, renderer: "canvas", tooltip, mode: "vega-lite",
      });
      if (chart.view) chart.view.finalize();
      chart.view = drawn;
      chart.element.dataset.drawn = String(Number(chart.element.dataset.drawn || 0) + 1);
    } catch (error) {
      if (!chart.view) chart.element.textContent = document.body.dataset.noChart;
    }
  }

  function soon(chart) {
    if (chart.timer === null) chart.timer = setTimeout(draw, Math.max(0, chart.drawnAt + least - Date.now()), chart);
  }

  document.addEventListener("caretaker:readings", (event) => {
    for (const chart of charts) if (event.detail.includes(chart.element.dataset.point)) soon(chart);
  });
  dark.addEventListener("change", () => charts.forEach(draw));
  charts.forEach(draw);
})();
