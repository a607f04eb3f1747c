// Each figure opens at full size when it is touched: a phone shows it in a third of its width.
addEventListener("DOMContentLoaded", () => {
  for (const image of document.querySelectorAll(".bd-article :is(.cell_output, figure) img")) {
    if (image.closest("a") || image.src.startsWith("data:")) continue;
    const link = document.createElement("a");
    link.href = image.src;
    link.title = "at full size";
    image.replaceWith(link);
    link.append(image);
  }
});
