// Airflow shows these pages in a frame that may open no other page, so the page around it does so for us.
// The frame's colours follow Airflow's theme, and not the browser's alone.
if (parent !== self) {
  const airflow = parent.document;
  const follow = () => {
    const dark = airflow.documentElement.classList.contains("dark");
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
  };
  follow();
  new MutationObserver(follow).observe(airflow.documentElement, { attributeFilter: ["class"] });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[target=_top]");
    if (!link) return;
    event.preventDefault();
    const twin = airflow.createElement("a");
    twin.href = link.href;
    if (event.ctrlKey || event.metaKey || event.shiftKey) twin.target = "_blank";
    twin.click();
  });
}
