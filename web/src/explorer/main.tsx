import "@/explorer/explorer.css"

// The editor is large: the page says that it is coming before it is there.
import("@/explorer/render").catch(() => {
  const note = document.querySelector(".explorer-note")
  if (note) note.textContent = "The API explorer could not be loaded. Reload the page to try again."
})
