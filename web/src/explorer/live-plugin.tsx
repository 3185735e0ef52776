import { type GraphiQLPlugin, useGraphiQL } from "@graphiql/react"
import { Activity } from "lucide-react"
import { useId, useState } from "react"
import { liveExample } from "@/explorer/examples"
import { operation } from "@/explorer/fetcher"
import { startLive, stopLive, useLive } from "@/explorer/live"

/** A subscription that goes on while other tabs run. */
function LivePane() {
  const titleId = useId()
  const editor = useGraphiQL((state) => state.queryEditor)
  const { running, answers, at, result } = useLive()
  const [problem, setProblem] = useState("")

  const start = () => {
    const written = editor?.getValue() ?? ""
    const chosen = operation({ query: written }).subscription ? written : liveExample
    setProblem("")
    startLive(chosen).catch((error: unknown) => setProblem(String(error)))
  }

  return (
    <section className="explorer-sign-in explorer-live" aria-labelledby={titleId}>
      <h2 id={titleId}>Live</h2>
      <p>
        Runs this tab&apos;s subscription here, or that of the stores, and goes on while you run mutations in
        the tabs.
      </p>
      <div className="explorer-actions">
        <button type="button" className="graphiql-button" onClick={running ? stopLive : start}>
          {running ? "Stop" : "Keep it running"}
        </button>
      </div>
      <p role="status">
        {problem}
        {running && answers === 0 ? "Waiting for the first answer…" : null}
        {at
          ? `${answers} ${answers === 1 ? "answer" : "answers"}, the last at ${at.toLocaleTimeString()}`
          : null}
      </p>
      {result ? <pre>{JSON.stringify(result.errors ? result : result.data, null, 2)}</pre> : null}
    </section>
  )
}

function Icon() {
  return <Activity aria-hidden />
}

/** The pane with a subscription that goes on. */
export const livePlugin: GraphiQLPlugin = { title: "Live", icon: Icon, content: LivePane }
