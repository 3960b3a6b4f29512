// On every page. Without it all works; with it, `/` leads to the search.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.altKey || event.metaKey) return;
  const { activeElement } = document;
  const isTyping =
    activeElement instanceof HTMLElement &&
    (activeElement.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/u.test(activeElement.tagName));
  const field = document.getElementById("q");
  if (isTyping || field === null) return;
  event.preventDefault();
  field.focus();
});
