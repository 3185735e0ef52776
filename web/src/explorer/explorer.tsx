import { GraphiQL } from "graphiql"
import { HISTORY_PLUGIN } from "@graphiql/plugin-history"
import { fetcher } from "@/explorer/fetcher"
import { livePlugin } from "@/explorer/live-plugin"
import { signInPlugin } from "@/explorer/sign-in-plugin"
import { examples } from "@/explorer/examples"
import { storage } from "@/explorer/storage"
// Each part's own styles: graphiql/style.css would bring fonts as data, which the Content-Security-Policy refuses.
import "@graphiql/react/style.css"
import "@graphiql/plugin-doc-explorer/style.css"
import "@graphiql/plugin-history/style.css"
import "graphiql/graphiql.css"

/** A phone has no room for a pane beside the editor. */
const wide = matchMedia("(min-width: 800px)").matches
const plugins = [HISTORY_PLUGIN, signInPlugin, livePlugin]

/** GraphiQL over this host's GraphQL endpoint. Tokens in the headers editor are not kept. */
export function Explorer() {
  return (
    <GraphiQL
      fetcher={fetcher}
      plugins={plugins}
      visiblePlugin={wide ? signInPlugin : undefined}
      defaultTabs={examples}
      defaultEditorToolsVisibility="variables"
      storage={storage}
      shouldPersistHeaders={false}
      showPersistHeadersSettings={false}
    >
      <GraphiQL.Logo>NorthStack</GraphiQL.Logo>
    </GraphiQL>
  )
}
