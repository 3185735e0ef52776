import tailwindcss from "@tailwindcss/vite"
import { tanstackRouter } from "@tanstack/router-plugin/vite"
import react from "@vitejs/plugin-react"
import { fileURLToPath } from "node:url"
import type { Plugin } from "vite"
import { defineConfig } from "vitest/config"

const api = process.env.NORTHSTACK_API ?? "http://127.0.0.1:8080"

/** Serves the mock API from the dev server itself: `npm run dev:mock` needs no backend. */
function mockApi(): Plugin {
  return {
    name: "northstack-mock-api",
    apply: "serve",
    async configureServer(server) {
      const module = await server.ssrLoadModule("/e2e/mock-server.ts")
      module.attachMockApi(server.middlewares, server.httpServer)
    },
  }
}

export default defineConfig(({ mode }) => ({
  plugins: [
    // The router plugin (tsr.config.json) writes src/routeTree.gen.ts and must stand before react().
    tanstackRouter(),
    react(),
    tailwindcss(),
    ...(mode === "mock" ? [mockApi()] : []),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: {
    host: "127.0.0.1",
    port: 3001,
    proxy: mode === "mock" ? undefined : { "/v1": { target: api, ws: true }, "/api": { target: api } },
  },
  build: {
    manifest: true,
    // The portal, and the API explorer as a page of its own.
    rolldownOptions: {
      input: ["index.html", "explorer.html"],
      // GraphiQL's components carry directives of the React compiler, which has already run.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
    // The editor of the API explorer is one large part; scripts/size-budget.mjs holds the sizes.
    chunkSizeWarningLimit: 3000,
    // Nothing inline: the portal is served with a strict Content-Security-Policy.
    assetsInlineLimit: 0,
    target: "es2023",
  },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://localhost:3001/" } },
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test/setup.ts"],
    restoreMocks: true,
    // Else graphql is loaded twice, as ESM and as CommonJS.
    server: { deps: { inline: [/graphql/, /msw/] } },
  },
}))
