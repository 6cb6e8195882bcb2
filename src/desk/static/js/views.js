// Loads the links of the saved views with their counts, which take longer than the list.
export function startViews() {
  const place = document.querySelector("#views[data-load]");
  if (place) htmx.ajax("GET", place.dataset.load, { source: place, target: place, swap: "outerHTML" });
}
