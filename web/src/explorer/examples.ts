/** The first tabs of somebody who comes for the first time. */
export const examples = [
  {
    query: `# Sign in by the key on the left, then run this.
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
    query: `# Stays open, and answers again at each change.
subscription Live {
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
`,
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
    variables: `{ "name": "My Shop" }`,
  },
]
