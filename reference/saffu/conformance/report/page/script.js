"use strict";
// The search: a case is shown if it, or its operation, has every word that was typed;
// SPEC 1 is one word.
(() => {
  const bar = document.getElementById("filter");
  const box = document.getElementById("words");
  const failing = document.getElementById("failing");
  const all = document.getElementById("all");
  const said = bar.querySelector("output");
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const operations = [...document.querySelectorAll("details.operation")].map((element) => ({
    element,
    open: element.open,
    words: ["h3", ".spec", ".about"].map((at) => fold(element.querySelector(at).textContent)).join(" "),
    cases: [...element.querySelectorAll("li.case")].map((item) => ({
      item,
      good: item.classList.contains("good"),
      words: fold([...item.children].filter((part) => part.tagName !== "FIGURE")
        .map((part) => part.textContent).join(" ")),
    })),
  }));
  const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  const filter = () => {
    const words = fold(box.value).match(/spec \d+|\S+/g) || [];
    const filtered = words.length > 0 || failing.checked;
    let cases = 0;
    let shown = 0;
    for (const operation of operations) {
      let here = 0;
      for (const each of operation.cases) {
        const has = words.every((word) => each.words.includes(word) || operation.words.includes(word));
        each.item.hidden = !has || (failing.checked && each.good);
        here += each.item.hidden ? 0 : 1;
      }
      operation.element.hidden = here === 0;
      operation.element.open = filtered ? here > 0 : operation.open;
      cases += here;
      shown += here ? 1 : 0;
    }
    said.textContent = filtered ? `${plural(cases, "case")} in ${plural(shown, "operation")}` : "";
  };

  // A link into something that is closed or filtered out opens it.
  const reveal = () => {
    const goal = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = goal && goal.closest("details");
    if (!details) return;
    if (goal.hidden || details.hidden) {
      box.value = "";
      failing.checked = false;
      filter();
    }
    details.open = true;
    goal.scrollIntoView();
  };

  bar.hidden = false;
  box.addEventListener("input", filter);
  failing.addEventListener("change", filter);
  all.addEventListener("click", () => {
    const open = operations.some(({ element }) => !element.hidden && !element.open);
    for (const { element } of operations) element.open = open;
    all.textContent = open ? "Close all" : "Open all";
  });
  addEventListener("hashchange", reveal);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  filter();
  reveal();
})();
