import { create } from "zustand"

/** What the user chose; `system` follows the operating system, live. */
export type Theme = "light" | "dark" | "system"

const key = "northstack.theme"
const systemDark = matchMedia("(prefers-color-scheme: dark)")

function stored(): Theme {
  try {
    const value = localStorage.getItem(key)
    return value === "light" || value === "dark" ? value : "system"
  } catch {
    return "system"
  }
}

function apply(theme: Theme): void {
  const dark = theme === "dark" || (theme === "system" && systemDark.matches)
  document.documentElement.classList.toggle("dark", dark)
}

interface ThemeState {
  theme: Theme
  setTheme: (theme: Theme) => void
}

/** The chosen theme, kept in this browser. `public/theme-init.js` applies it before the first paint. */
export const useTheme = create<ThemeState>((set) => ({
  theme: stored(),
  setTheme: (theme) => {
    try {
      localStorage.setItem(key, theme)
    } catch {
      // Storage is refused: the choice lasts as long as the page.
    }
    apply(theme)
    set({ theme })
  },
}))

systemDark.addEventListener("change", () => apply(useTheme.getState().theme))
