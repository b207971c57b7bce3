// Draws each chart from the figures that its element carries; without it there are the tables.
const DAY = 86400;
const language = document.documentElement.lang;
const dayFormat = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
const countFormat = new Intl.NumberFormat(language);
const unit = (name) => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "narrow", maximumFractionDigits: 1 });
const [seconds, minutes, hours, days] = ["second", "minute", "hour", "day"].map(unit);

function span(value) {
  if (value < 60) return seconds.format(Math.round(value));
  if (value < 3600) return minutes.format(value / 60);
  return value < 2 * DAY ? hours.format(value / 3600) : days.format(value / DAY);
}

const says = { count: (value) => countFormat.format(value), seconds: span };
const steps = {
  count: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6],
  seconds: [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, DAY, 2 * DAY, 7 * DAY, 30 * DAY],
};

// light-dark() is resolved for elements only, so one is asked.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
function resolved(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function draw(element) {
  const { kind, unit: measured, first, series } = JSON.parse(element.dataset.chart);
  const start = Date.parse(first) / 1000;
  const x = series[0].values.map((_, at) => start + at * DAY);
  const isStack = kind === "stack";
  // What stands on top is drawn first, with what is below it added.
  const sums = series.map((_, upTo) => x.map((__, at) => series.slice(0, upTo + 1).reduce((sum, one) => sum + one.values[at], 0)));
  const order = series.map((_, at) => at);
  if (isStack) order.reverse();
  const axis = { stroke: resolved("--quiet"), grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const readout = element.parentElement.querySelector(".readout");
  element.hidden = false;
  return new uPlot(
    {
      width: element.clientWidth,
      height: element.clientHeight,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false, range: (_, low, high) => [low - DAY / 2, high + DAY / 2] }, y: { range: (_, __, high) => [0, Math.max(high * 1.08, measured === "count" ? 4 : 60)] } },
      axes: [
        { ...axis, grid: { show: false }, incrs: [1, 2, 7, 14, 30, 61, 91].map((one) => one * DAY), size: 28, space: 64, values: (_, at) => at.map((one) => dayFormat.format(one * 1000)) },
        { ...axis, incrs: steps[measured], size: 62, values: (_, at) => at.map(says[measured]) },
      ],
      series: [
        {},
        ...order.map((at) => {
          const stroke = resolved(`--series-${at + 1}`);
          return isStack
            ? { fill: stroke, stroke, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 40], radius: 0.15 }) }
            : { stroke, width: 2, spanGaps: true, points: { show: x.length <= 31, size: 5, fill: stroke } };
        }),
      ],
      hooks: {
        setCursor: [
          ({ cursor: { idx } }) => {
            readout.textContent = idx == null ? "" : `${dayFormat.format(x[idx] * 1000)}: ${series.map(({ values }) => (values[idx] == null ? "–" : says[measured](values[idx]))).join(" · ")}`;
          },
        ],
      },
    },
    [x, ...order.map((at) => (isStack ? sums[at] : series[at].values))],
    element,
  );
}

const elements = [...document.querySelectorAll("[data-chart]")];
let charts = [];
function drawAll() {
  for (const chart of charts) chart.destroy();
  charts = elements.map(draw);
}
drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
const sizes = new ResizeObserver(() => charts.forEach((chart, at) => chart.setSize({ width: elements[at].clientWidth, height: elements[at].clientHeight })));
elements.forEach((element) => sizes.observe(element));
