/** A step of the mock's flows; `detail` is what it says while it runs. */
export interface PlannedStep {
  name: string
  title: string
  detail: string
}

export const storeCreateSteps: readonly PlannedStep[] = [
  { name: "namespace", title: "Create namespace", detail: "Namespace and resource quota" },
  { name: "mysql", title: "Deploy MySQL", detail: "Deployment mysql: 1 of 1 pods ready" },
  { name: "wordpress", title: "Deploy WordPress", detail: "Deployment woocommerce: 1 of 1 pods ready" },
  { name: "core", title: "Install WordPress", detail: "Title and admin user are set" },
  { name: "woocommerce", title: "Install WooCommerce", detail: "Plugin is active" },
  { name: "theme", title: "Install Storefront theme", detail: "Theme is active" },
  { name: "payments", title: "Enable Cash on Delivery", detail: "Gateway cod is enabled" },
  { name: "products", title: "Create sample products", detail: "3 products are in the catalogue" },
  { name: "ingress", title: "Publish the storefront", detail: "Ingress store-ingress" },
  { name: "verify", title: "Check the storefront", detail: "The storefront answers 200" },
]

export const storeDeleteSteps: readonly PlannedStep[] = [
  { name: "namespace", title: "Delete namespace", detail: "Namespace is terminating" },
  { name: "gone", title: "Wait until it is gone", detail: "Namespace is no longer there" },
]
