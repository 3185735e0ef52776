import { randomId } from "@/lib/utils"

/** What can be seen to change while mutations run. */
export const liveExample = `subscription Live {
  stores(order_by: { created_at: desc }) {
    name
    status
    operations(limit: 1, order_by: { created_at: desc }) {
      status
      steps(order_by: { ordinal: asc }) {
        title
        status
      }
    }
  }
}
`

/** A name that nobody has used, such as `Shop 7f3c21`: a team has one store of a name. */
function freshName(): string {
  return `Shop ${randomId().slice(0, 6)}`
}

/** The first tabs of somebody who comes for the first time. */
export const examples = [
  {
    query: `# Sign in by the key on the left, then run this (Ctrl-Enter).
query Stores {
  me {
    name
    email
  }
  stores(order_by: { created_at: desc }) {
    store_id
    name
    status
    url
  }
}
`,
  },
  {
    query: `# Answers again at each change. To see it while you run Create in the next tab,
# press "Keep it running" in the pane Live on the left.
${liveExample}`,
  },
  {
    query: `mutation Create($name: String!) {
  createStore(name: $name, type: woocommerce) {
    operation {
      id
      status
    }
    store {
      store_id
      status
      url
    }
  }
}
`,
    variables: `{ "name": "${freshName()}" }`,
  },
]
