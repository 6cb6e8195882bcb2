// Adds the age to every time of a page ("5 minutes ago") as its tooltip, and keeps it right.
const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

export function startTimes() {
  refresh();
  setInterval(refresh, 30_000);
  document.addEventListener("htmx:after:swap", refresh);
}

function refresh() {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const full = (time.dataset.full ??= time.title || time.textContent);
    time.title = `${full} · ${age(format, (new Date(time.dateTime) - Date.now()) / 1000)}`;
  }
}

function age(format, seconds) {
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit);
  }
  return format.format(0, "minute");
}
