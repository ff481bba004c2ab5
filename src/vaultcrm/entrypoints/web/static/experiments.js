// Draws how the differences of a test went, day by day: a line with the band of what is possible.
// Colours are those of the legend, so that both follow the theme. Without this the table remains.
"use strict";

(() => {
  const HEIGHT = 260;
  const drawn = new Map();

  const told = (value, unit) =>
    `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(unit === "points" ? 1 : 2)}`;

  const draw = (place) => {
    const { unit, days, lines } = JSON.parse(place.dataset.sequence);
    const section = place.closest(".course");
    const inks = [...section.querySelectorAll(".ink")].map((one) => getComputedStyle(one).backgroundColor);
    const { color: soft, fontFamily } = getComputedStyle(section.querySelector("p"));
    const rule = getComputedStyle(section.querySelector("table th")).borderBottomColor;
    const moment = section.querySelector(".moment");
    const axis = { stroke: soft, font: `11px ${fontFamily}`, ticks: { show: false } };
    const edge = { width: 0, points: { show: false } };

    const say = (at) => {
      moment.textContent =
        at == null
          ? ""
          : `${days[at]}: ${lines
              .map(({ name, values: [, low, high] }) =>
                low[at] == null ? `${name} –` : `${name} ${told(low[at], unit)} to ${told(high[at], unit)} ${unit}`,
              )
              .join(", ")}`;
    };

    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        padding: [8, 8, 0, 0],
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { time: false, range: () => [-0.5, days.length - 0.5] },
          y: {
            range: (_, least, most) => {
              const room = (Math.max(most, 0) - Math.min(least, 0)) * 0.06 || 1;
              return [Math.min(least, 0) - room, Math.max(most, 0) + room];
            },
          },
        },
        axes: [
          {
            ...axis,
            size: 28,
            grid: { show: false },
            incrs: [1, 2, 3, 7, 14, 30, 60],
            space: 64,
            values: (_, splits) => splits.map((at) => (days[at] ?? "").slice(5)),
          },
          {
            ...axis,
            size: 56,
            grid: { stroke: rule, width: 1 },
            values: (_, splits) => splits.map((value) => told(value, unit)),
          },
        ],
        series: [
          {},
          ...lines.flatMap((_, at) => [
            { stroke: inks[at], width: 2, points: { show: days.length < 40, size: 5, fill: inks[at] } },
            edge,
            edge,
          ]),
        ],
        bands: lines.map((_, at) => ({
          series: [3 * at + 3, 3 * at + 2],
          fill: `color-mix(in srgb, ${inks[at]} 18%, transparent)`,
        })),
        hooks: {
          setCursor: [(self) => say(self.cursor.idx)],
          drawAxes: [
            (self) => {
              // Zero is what the band has to leave.
              const y = self.valToPos(0, "y", true);
              self.ctx.strokeStyle = soft;
              self.ctx.lineWidth = devicePixelRatio;
              self.ctx.beginPath();
              self.ctx.moveTo(self.bbox.left, y);
              self.ctx.lineTo(self.bbox.left + self.bbox.width, y);
              self.ctx.stroke();
            },
          ],
        },
      },
      [days.map((_, at) => at), ...lines.flatMap(({ values }) => values)],
      place,
    );
    drawn.set(place, plot);
  };

  const drawAll = () => {
    for (const [place, plot] of drawn) {
      plot.destroy();
      drawn.delete(place);
    }
    for (const place of document.querySelectorAll("[data-sequence]")) {
      place.replaceChildren();
      draw(place);
      widths.observe(place);
    }
  };

  const widths = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const plot = drawn.get(target);
      if (plot && contentRect.width && plot.width !== contentRect.width)
        plot.setSize({ width: contentRect.width, height: HEIGHT });
    }
  });

  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx.target?.id === "content") drawAll();
  });
  drawAll();
})();
