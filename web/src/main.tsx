import "@/lib/csp"
import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { App, createAppRouter } from "@/app"
import { createApollo } from "@/lib/apollo"
import "@fontsource-variable/inter/wght.css"
import "@/index.css"

const root = document.querySelector("#root")
if (root === null) throw new Error("index.html has no #root")
const { client: apollo } = createApollo()
createRoot(root).render(
  <StrictMode>
    <App apollo={apollo} router={createAppRouter(apollo)} />
  </StrictMode>,
)
