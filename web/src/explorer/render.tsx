import "graphiql/setup-workers/vite"
import { createRoot } from "react-dom/client"
import { Explorer } from "@/explorer/explorer"

const root = document.querySelector("#root")
if (root === null) throw new Error("explorer.html has no #root")
createRoot(root).render(<Explorer />)
