// A switch on top of a page opens and folds the code of all of its cells.
addEventListener("DOMContentLoaded", () => {
  const folds = document.querySelectorAll(".bd-article .cell details.hide");
  if (folds.length < 2) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "all-code";
  let open = true;
  const turn = () => {
    open = !open;
    for (const fold of folds) fold.open = open;
    button.textContent = open ? "Hide all code" : "Show all code";
  };
  button.onclick = turn;
  turn();
  document.querySelector(".bd-article h1").after(button);
});
