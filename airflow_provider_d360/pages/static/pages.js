// The pages work without this script; with it, they behave as a part of Airflow.
const outer = parent === self ? null : parent.document;

if (outer) {
  // Airflow's own switch decides between light and dark, and not the browser alone.
  const follow = () => {
    const dark = outer.documentElement.classList.contains("dark");
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  };
  follow();
  new MutationObserver(follow).observe(outer.documentElement, { attributeFilter: ["class"] });

  // The frame may open no other page, so the page around it does so.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[target]");
    if (!link) return;
    event.preventDefault();
    const twin = outer.createElement("a");
    twin.href = link.href;
    twin.rel = "noopener";
    if (event.ctrlKey || event.metaKey || event.shiftKey) twin.target = "_blank";
    twin.click();
  });
}

// Times come in UTC. Airflow keeps the zone that somebody has chosen in its clock menu.
const zone = () => {
  try {
    const name = JSON.parse(localStorage.getItem("timezone")) ?? "UTC";
    return new Intl.DateTimeFormat("sv-SE", { timeZone: name, dateStyle: "short", timeStyle: "medium" });
  } catch {
    return null;
  }
};
function showTimes() {
  const format = zone();
  if (!format) return;
  for (const time of document.querySelectorAll("time")) {
    const text = format.format(new Date(time.dateTime));
    time.textContent = "clock" in time.dataset ? text.slice(-8) : text;
  }
}
showTimes();

// The page is loaded anew now and then, but never under somebody's fingers.
const isUsed = () =>
  document.hidden ||
  document.querySelector("details[open]") ||
  !getSelection().isCollapsed ||
  (document.activeElement && document.activeElement !== document.body);
const seconds = Number(document.querySelector("main").dataset.refresh);
if (seconds) {
  setInterval(async () => {
    if (isUsed()) return;
    const response = await fetch(location.href).catch(() => null);
    if (!response?.ok) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    if (isUsed() || !page.querySelector("main")) return;
    document.body.replaceChildren(...page.body.children);
    showTimes();
  }, seconds * 1000);
}

document.addEventListener("click", (event) => {
  // A click in a row opens what its first link opens, unless somebody marks text.
  const row = event.target.closest(".opens");
  if (row && !event.target.closest("a") && getSelection().isCollapsed) row.querySelector(".goes").click();
  // A click beside an open menu closes it.
  for (const menu of document.querySelectorAll("details[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
