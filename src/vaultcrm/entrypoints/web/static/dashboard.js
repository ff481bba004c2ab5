// Draws the dashboard's charts. Each place says in data-chart what to draw; the colours are those of
// the legend beside it, so that both follow the theme. Without this script the tables remain.
"use strict";

(() => {
  const drawn = new Map();
  const HEIGHT = 220;

  /** As the page writes amounts: less than a dollar to a tenth of a cent. */
  const dollars = (value) =>
    value === 0 ? "$0" : `$${value.toLocaleString("en", fixed(value >= 1 ? 2 : 3))}`;
  const fixed = (digits) => ({ minimumFractionDigits: digits, maximumFractionDigits: digits });
  /** On an axis no finer than its steps. */
  const dollarsBy = (step) => (value) =>
    value === 0 ? "$0" : `$${value.toLocaleString("en", fixed(step >= 1 ? 0 : step >= 0.01 ? 2 : 3))}`;
  const seconds = (value) =>
    value < 60
      ? `${Math.round(value)} s`
      : value < 3600
        ? `${Math.round(value / 60)} min`
        : value < 48 * 3600
          ? `${+(value / 3600).toFixed(1)} h`
          : `${+(value / 86400).toFixed(1)} d`;
  const UNITS = { usd: dollars, seconds, count: (value) => value.toLocaleString("en") };

  // Steps of an axis of time, so that its lines stand at round minutes and hours.
  const SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
  const COUNTS = [1, 2, 5].flatMap((one) => [0, 1, 2, 3, 4, 5, 6].map((power) => one * 10 ** power)).sort((a, b) => a - b);
  const STEPS = { seconds: SECONDS, count: COUNTS };

  /** Each series upon those before it; the last one reaches highest. */
  const stacked = (values) => {
    const sums = values[0].map(() => 0);
    return values.map((line) => line.map((value, at) => (sums[at] += value ?? 0)));
  };

  const seriesOf = ({ shape, values }, inks) => {
    const { bars } = uPlot.paths;
    if (shape === "line")
      return values.map((_, at) => ({ stroke: inks[at], width: 2, points: { show: true, size: 6, fill: inks[at] } }));
    const filled = (ink, paths) => ({ fill: ink, stroke: ink, width: 0, paths, points: { show: false } });
    if (shape === "beside")
      return values.map((_, at) => filled(inks[at], bars({ size: [0.38, 28], align: at ? 1 : -1, gap: 1 })));
    return values.map((_, at) => filled(inks[at], bars({ size: [0.7, 44] })));
  };

  const draw = (place) => {
    const chart = JSON.parse(place.dataset.chart);
    const section = place.closest(".chart");
    const shown = [...section.querySelectorAll("[data-total]")];
    // A series that is empty throughout has no line in the legend, and none in the picture.
    const kept = chart.values.map((line, at) => at).filter((at) => chart.values[at].some(Boolean));
    const values = kept.map((at) => chart.values[at]);
    const inks = shown.map((one) => getComputedStyle(one.parentElement.querySelector(".ink")).backgroundColor);
    const { color: soft, fontFamily } = getComputedStyle(section.querySelector(".answer"));
    const line = getComputedStyle(section.querySelector("table th")).borderBottomColor;
    const heights = chart.shape === "stacked" ? stacked(values) : values;
    // What reaches highest is drawn first, and what lies within it over it.
    const order = chart.shape === "stacked" ? values.map((_, at) => values.length - 1 - at) : values.map((_, at) => at);
    const tell = UNITS[chart.unit];
    const moment = section.querySelector(".moment");
    const axis = { stroke: soft, font: `11px ${fontFamily}`, ticks: { show: false } };

    const say = (at) => {
      moment.textContent = at == null ? "" : chart.moments[at];
      shown.forEach((one, which) => {
        const value = at == null ? null : values[which][at];
        one.textContent = at == null ? one.dataset.total : value == null ? "–" : tell(value);
      });
    };

    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: false, range: () => [-0.5, chart.labels.length - 0.5] },
          y: { range: (_, least, most) => [0, most > 0 ? most * 1.08 : 1] },
        },
        axes: [
          {
            ...axis,
            size: 28,
            grid: { show: false },
            incrs: [1, 2, 3, 7, 14, 30],
            space: 56,
            values: (_, splits) => splits.map((at) => chart.labels[at] ?? ""),
          },
          {
            ...axis,
            size: 52,
            grid: { stroke: line, width: 1 },
            ...(STEPS[chart.unit] ? { incrs: STEPS[chart.unit] } : {}),
            values: (_, splits, __, ___, step) => splits.map(chart.unit === "usd" ? dollarsBy(step) : tell),
          },
        ],
        series: [{}, ...seriesOf({ shape: chart.shape, values: order }, order.map((at) => inks[at]))],
        hooks: { setCursor: [(self) => say(self.cursor.idx)] },
      },
      [chart.labels.map((_, at) => at), ...order.map((at) => heights[at])],
      place,
    );
    drawn.set(place, { plot, say });
  };

  const drawAll = () => {
    for (const [place, { plot, say }] of drawn) {
      say(null);
      plot.destroy();
      drawn.delete(place);
    }
    for (const place of document.querySelectorAll("[data-chart]")) {
      place.replaceChildren();
      draw(place);
      widths.observe(place);
    }
  };

  const widths = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const plot = drawn.get(target)?.plot;
      if (plot && contentRect.width && plot.width !== contentRect.width)
        plot.setSize({ width: contentRect.width, height: HEIGHT });
    }
  });

  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx.target?.id === "day") drawAll();
  });
  drawAll();
})();
