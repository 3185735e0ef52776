//! The names of what a store consists of in its namespace.

/// Label of every namespace that holds a store: `app=store-platform`.
pub const APP: &str = "store-platform";
/// Label key that carries the store's id.
pub const STORE_LABEL: &str = "northstack.dev/store";
/// The resource quota.
pub const QUOTA: &str = "store-quota";
/// The Secret with the database's credentials: `root-password`, `database`, `username`, `password`.
pub const MYSQL_SECRET: &str = "mysql-credentials";
/// The Secret with the shop administrator's credentials: `username`, `password`.
pub const ADMIN_SECRET: &str = "store-admin";
/// The claim of the database's volume.
pub const MYSQL_VOLUME: &str = "mysql-data";
/// The claim of the site's volume.
pub const WORDPRESS_VOLUME: &str = "wordpress-data";
/// The database's Deployment, and its pods' `app` label.
pub const MYSQL: &str = "mysql";
/// The database's Service, on port 3306.
pub const MYSQL_SERVICE: &str = "mysql-service";
/// The site's Deployment, and its pods' `app` label.
pub const WOOCOMMERCE: &str = "woocommerce";
/// The site's Service, on port 80.
pub const WOOCOMMERCE_SERVICE: &str = "woocommerce-service";
/// The container that serves the site.
pub const WORDPRESS_CONTAINER: &str = "wordpress";
/// The container in which WP-CLI runs.
pub const WP_CLI_CONTAINER: &str = "wp-cli";
/// The Ingress.
pub const INGRESS: &str = "store-ingress";
